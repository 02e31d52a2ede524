// Package ids makes and reads the ids of aggregates: UUIDv7 in their one canonical spelling.
package ids
