// Package audit serves what an operator, a checker or a read model asks of any module beside its own operations: its log, its counts and
// its parked messages (kerf.platform.v1.PlatformService). It owns no data: outbox, inbox and work do.
package audit
