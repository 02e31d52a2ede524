package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Event is one of a live stream (server-sent events).
type Event struct {
	ID, Name string
	Data     []byte // valid until the handler returns
}

// End is the name of a stream's last event, after which nobody should come back.
const End = "end"

// Follow hands the events of a live stream to a handler, until the stream says that it ends or ctx ends. When the connection is lost it
// comes back and states the last event that it has seen, as often as it takes, for as long as the client's patience. connected is
// called for each connection that the server has begun to answer; it may be nil.
//
// It returns nil at the stream's end, a *Problem if the server refuses the stream, ctx's cause, or the last failure.
func (c *Caller) Follow(ctx context.Context, path string, connected func(), handle func(Event)) error {
	last, renewed, lost := "", false, time.Now()
	for failures := 0; ; failures++ {
		reached := false
		ended, err := c.follow(ctx, path, &last, func() {
			reached = true
			if connected != nil {
				connected()
			}
		}, handle)
		if reached {
			failures, renewed, lost = 0, false, time.Now()
		}
		problem, refused := Refused(err)
		switch {
		case ended:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case refused && problem.Status == http.StatusUnauthorized && !renewed:
			renewed = true
			continue
		case refused, time.Since(lost) > c.config.Patience:
			return err
		}
		if err := wait(ctx, c.pause(failures)); err != nil {
			return err
		}
		c.retries.Add(1)
	}
}

// follow reads one connection to its end.
func (c *Caller) follow(ctx context.Context, path string, last *string, connected func(), handle func(Event)) (ended bool, err error) {
	token, err := c.bearer(ctx)
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Target+path, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "text/event-stream")
	if *last != "" {
		request.Header.Set("Last-Event-ID", *last)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		content, _ := io.ReadAll(io.LimitReader(response.Body, maxBody))
		problem := problemOf(response, content)
		if problem.Status == http.StatusUnauthorized {
			c.forget(token)
		}
		return false, problem
	}
	connected()
	for event, err := range events(response.Body) {
		if err != nil {
			return false, fmt.Errorf("GET %s: the stream broke: %w", path, err)
		}
		if event.ID != "" {
			*last = event.ID
		}
		handle(event)
		if event.Name == End {
			return true, nil
		}
	}
	return false, errors.New("the stream was closed")
}

// events reads server-sent events: blocks of lines that a blank line ends. Comments are heartbeats. It copies what is in an event and nothing else,
// because whoever follows all orders of a loaded server hears a dozen for each.
func events(r io.Reader) func(yield func(Event, error) bool) {
	return func(yield func(Event, error) bool) {
		lines := bufio.NewReaderSize(r, 64<<10)
		var event Event
		var data []byte // of the last event, to be filled again
		for {
			line, err := lines.ReadSlice('\n')
			var whole []byte
			for errors.Is(err, bufio.ErrBufferFull) {
				whole = append(whole, line...)
				line, err = lines.ReadSlice('\n')
			}
			if whole != nil {
				line = append(whole, line...)
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(Event{}, err)
				}
				return // an event that is not whole is none
			}
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 {
				if event.Name != "" || event.Data != nil {
					if !yield(event, nil) {
						return
					}
				}
				event, data = Event{}, data[:0]
				continue
			}
			field, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch string(field) {
			case "id":
				event.ID = string(value)
			case "event":
				event.Name = string(value)
			case "data":
				data = append(data, value...)
				event.Data = data
			}
		}
	}
}
