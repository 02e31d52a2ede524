package clock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"
)

// FollowConfig says whose clock to follow. Zero values take the defaults.
type FollowConfig struct {
	// File is the clock.json of the process that keeps the clock, or URL its GET /v1/clock. One of them is given.
	File, URL string
	// Speed is what the list must run at when it is first read; 0 for any.
	Speed float64
	// Wait is how long Follow tries to get the list, whose keeper may be about to start: 30 s.
	Wait time.Duration
	// Every is how often the list is looked at again: 1 s for a file, 10 s for a URL.
	Every time.Duration
	// Transport asks the URL; http.DefaultTransport if nil. Redirects are not followed.
	Transport http.RoundTripper
}

func (c FollowConfig) withDefaults() FollowConfig {
	if c.Wait == 0 {
		c.Wait = 30 * time.Second
	}
	if c.Every == 0 {
		c.Every = time.Second
		if c.File == "" {
			c.Every = 10 * time.Second
		}
	}
	return c
}

// How often a list is asked for that is not there yet, and how long one answer is waited for.
const (
	askAgain  = 100 * time.Millisecond
	askAtMost = 3 * time.Second
)

// Follower is a clock whose list another process keeps. Once it runs, it takes up what that one adds to the list.
type Follower struct {
	*Clock
	cfg    FollowConfig
	source string // for messages
	log    *slog.Logger
	client *http.Client
	seen   fs.FileInfo // of the file, when it was read last
	refuse string      // why the list was not taken that was read last
}

// Follow gets the list and makes a clock of it. A list that is not there yet, or whose keeper does not answer, is waited for within limits; one
// that is no list, or runs at another speed than was asked for, is an error at once.
func Follow(ctx context.Context, cfg FollowConfig, log *slog.Logger) (*Follower, error) {
	f := &Follower{Clock: &Clock{asleep: &sleepers{recheck: map[int64]func(){}}}, cfg: cfg.withDefaults(), log: log, source: cfg.File}
	if cfg.File == "" {
		f.source = cfg.URL
	}
	f.client = &http.Client{
		Transport:     cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	list, err := f.await(ctx)
	if err != nil {
		return nil, fmt.Errorf("clock: the domain clock's list is to be had from %s: %w", f.source, err)
	}
	if speed := list[len(list)-1].Speed; cfg.Speed != 0 && cfg.Speed != speed {
		return nil, fmt.Errorf("clock: %s runs at the speed %v, not %v", f.source, speed, cfg.Speed)
	}
	f.list.Store(&list)
	return f, nil
}

// await reads the list, again and again until there is one.
func (f *Follower) await(ctx context.Context) (List, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Wait)
	defer cancel()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	told := false
	for {
		list, err := f.read(ctx)
		var wrong *wrongList
		if err == nil || errors.As(err, &wrong) {
			return list, err
		}
		if !told {
			f.log.Info("waiting for the domain clock's list", "source", f.source, "error", err)
			told = true
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// Run looks at the list again and again until ctx ends, and takes up what was added. Nothing that is wrong with it ends the process: the clock
// goes on as it did.
func (f *Follower) Run(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.look(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *Follower) look(ctx context.Context) {
	if f.cfg.File != "" && f.seen != nil {
		info, err := os.Stat(f.cfg.File)
		if err == nil && os.SameFile(info, f.seen) && info.ModTime().Equal(f.seen.ModTime()) {
			return
		}
	}
	list, err := f.read(ctx)
	if err == nil {
		err = f.take(list)
	}
	switch {
	case err == nil, ctx.Err() != nil:
		f.refuse = ""
	case err.Error() != f.refuse: // told once
		f.refuse = err.Error()
		f.log.Warn("the domain clock goes on as it did", "source", f.source, "error", err)
	}
}

// take follows a list that continues the one that rules. Any other tells of another time.
func (f *Follower) take(list List) error {
	ruling := f.List()
	if len(list) < len(ruling) || !slices.EqualFunc(list[:len(ruling)], ruling, Entry.equal) {
		return errors.New("its list does not continue the one that was followed so far; a restart would follow it")
	}
	if len(list) == len(ruling) {
		return nil
	}
	f.list.Store(&list)
	f.asleep.wake()
	f.log.Info("the domain clock has another speed", "speed", f.Speed())
	return nil
}

func (e Entry) equal(other Entry) bool {
	return e.Wall.Equal(other.Wall) && e.Domain.Equal(other.Domain) && e.Speed == other.Speed
}

// wrongList is an error that asking again will not mend.
type wrongList struct{ error }

func (w *wrongList) Unwrap() error { return w.error }

func (f *Follower) read(ctx context.Context) (List, error) {
	if f.cfg.File != "" {
		return f.readFile()
	}
	return f.readURL(ctx)
}

func (f *Follower) readFile() (List, error) {
	file, err := os.Open(f.cfg.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxListBytes+1))
	if err != nil {
		return nil, err
	}
	f.seen = info
	list, err := ParseList(data)
	if err != nil {
		return nil, &wrongList{fmt.Errorf("not a clock file: %w", err)}
	}
	return list, nil
}

func (f *Follower) readURL(ctx context.Context) (List, error) {
	ctx, cancel := context.WithTimeout(ctx, askAtMost)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.cfg.URL, http.NoBody)
	if err != nil {
		return nil, &wrongList{err}
	}
	answer, err := f.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxListBytes+1))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode >= http.StatusInternalServerError, answer.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("it answers %s", answer.Status)
	case answer.StatusCode != http.StatusOK:
		return nil, &wrongList{fmt.Errorf("it answers %s", answer.Status)}
	}
	var document struct {
		Segments json.RawMessage `json:"segments"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, &wrongList{fmt.Errorf("not the answer of GET /v1/clock: %w", err)}
	}
	list, err := ParseList(document.Segments)
	if err != nil {
		return nil, &wrongList{fmt.Errorf("not the answer of GET /v1/clock: segments: %w", err)}
	}
	return list, nil
}
