package placement

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
	"kerf/platform/rpc"
)

// remembered bounds the responses that mode checked compares later.
const remembered = 4096

// violations collects what is found, and the messages that are still watched.
type violations struct {
	log *slog.Logger

	mu      sync.Mutex
	found   []string
	watched []watch // a ring
	next    int
}

// watch is a message that nobody may change any more, and what it was when it was handed over.
type watch struct {
	message, original proto.Message
	violation         string
}

func (v *violations) report(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reportLocked(fmt.Sprintf(format, args...))
}

func (v *violations) reportLocked(violation string) {
	v.found = append(v.found, violation)
	v.log.Error("the seam was violated", "violation", violation)
}

func (v *violations) all() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.found...)
}

// remember watches a message until it is compared for the last time: when the ring comes round to it, or at Close.
func (v *violations) remember(w watch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.watched) < remembered {
		v.watched = append(v.watched, w)
		return
	}
	v.compareLocked(&v.watched[v.next])
	v.watched[v.next] = w
	v.next = (v.next + 1) % remembered
}

// recheck compares all messages that are watched.
func (v *violations) recheck() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.watched {
		v.compareLocked(&v.watched[i])
	}
}

func (v *violations) compareLocked(w *watch) {
	if w.message == nil || proto.Equal(w.message, w.original) {
		return
	}
	v.reportLocked(w.violation)
	*w = watch{} // told once
}

// checked compares the request after the call, and watches the response from then on. The caller gets a copy of it, so that it
// shows which side has changed its own.
func checked[Req, Res message](b *boundary, call Call[Req, Res]) Call[Req, Res] {
	v := &b.seams.violations
	name := b.module + "." + b.operation.Name()
	return func(ctx context.Context, req Req) (Res, error) {
		before := proto.Clone(req)
		res, err := call(ctx, req)
		if !proto.Equal(before, req) {
			v.report("%s: the module has written into its request", name)
		}
		if err != nil {
			return res, err
		}
		original, given := proto.Clone(res), proto.Clone(res).(Res)
		v.remember(watch{res, original, name + ": the module has changed a response that it had handed over"})
		v.remember(watch{given, original, name + ": the caller has changed a response that it was handed"})
		return given, nil
	}
}

// twice makes a call two times, as a network that delivers twice would, and returns the second answer. A command has to answer
// the same both times, if both answers are its own.
func twice[Req, Res message](b *boundary, call Call[Req, Res]) Call[Req, Res] {
	return func(ctx context.Context, req Req) (Res, error) {
		first, firstErr := call(ctx, req)
		second, err := call(ctx, req)
		if b.operation.Command && fault.Definite(firstErr) && fault.Definite(err) && !same(first, firstErr, second, err) {
			b.seams.violations.report("%s.%s: a command was repeated and answered differently: first %v, then %v",
				b.module, b.operation.Name(), outcome(firstErr), outcome(err))
		}
		return second, err
	}
}

func same(first proto.Message, firstErr error, second proto.Message, secondErr error) bool {
	if (firstErr == nil) != (secondErr == nil) {
		return false
	}
	if firstErr != nil {
		return proto.Equal(rpc.Status(fault.As(firstErr)).Proto(), rpc.Status(fault.As(secondErr)).Proto())
	}
	return proto.Equal(first, second)
}

func outcome(err error) string {
	if err == nil {
		return "a response"
	}
	return err.Error()
}
