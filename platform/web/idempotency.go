package web

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/fault"
)

const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
	maxKey         = 128
	// retryInFlight is when to ask again for a request that is being executed: about as long as one takes.
	retryInFlight = time.Second
)

// Answer is what a command answers with.
type Answer struct {
	// Status is 200 to 299.
	Status int
	// Location is the address of what was made, if something was.
	Location string
	// ETag is the aggregate's version; 0 for none.
	ETag int64
	// Body becomes JSON; nil for no body.
	Body any
}

// Commit runs f in one transaction of the module's database and stores f's answer, or its refusal, in the same transaction. If another process has stored an answer to the same request meanwhile, f is not run. f may run twice if the
// database loses a transaction, so it has no effect outside of it. The error is f's, or the database's.
type Commit func(f func(ctx context.Context, tx *database.Tx) (Answer, error)) error

// Once answers a mutating request exactly once for each caller, method, route and Idempotency-Key.
//
// For a new key it runs act, outside of any transaction: it may call other modules, and then calls commit exactly once and
// returns its error. For a key that was answered it sends the first answer again, with Idempotency-Replayed. The same key with
// another target or body is Refused, one that is being executed in this process is a Conflict.
//
// Stored for a day are successes, and what a rule refused (422), also if act returns that before commit. After any other error nothing
// has changed and another answer may be right a moment later (404 of what an event has yet to bring), so none is stored: asked again,
// the command is executed again.
func Once(c echo.Context, db *database.DB, act func(ctx context.Context, commit Commit) error) error {
	o, err := newOnce(c, db)
	if err != nil {
		return err
	}
	mine := o.request.server.inFlight.enter(o.id)
	if mine {
		defer o.request.server.inFlight.leave(o.id)
	}
	// Looked up after entering: whoever was in flight before has left, and so has stored its answer.
	stored, err := o.look(db.QueryRow(c.Request().Context(), selectAnswer, o.id[:]))
	switch {
	case err != nil:
		return fmt.Errorf("look for an answer: %w", err)
	case stored != nil:
		return o.replay(stored)
	case !mine:
		return fault.Conflict(retryInFlight, "in_flight", "a request with this key is being executed")
	}
	return o.execute(act)
}

// once is one request that is to be answered exactly once.
type once struct {
	c       echo.Context
	db      *database.DB
	request *request
	id      [sha256.Size]byte // of caller, method, route and key
	print   [sha256.Size]byte // of target and body

	committed bool    // commit was called
	answer    *stored // what is to be sent; nil if nothing is stored
	replayed  bool    // answer is somebody else's
}

func newOnce(c echo.Context, db *database.DB) (*once, error) {
	caller, err := Require(c)
	if err != nil {
		return nil, err
	}
	key, err := Key(c)
	if err != nil {
		return nil, err
	}
	body, err := bodyOf(c)
	if err != nil {
		return nil, err
	}
	o := &once{c: c, db: db, request: requestOf(c)}
	o.id = digest(caller.Subject, c.Request().Method, c.Path(), key)
	o.print = digest(c.Request().URL.RequestURI(), string(body))
	return o, nil
}

// Key returns the request's Idempotency-Key, for a command whose answer is kept elsewhere than where Once keeps it. Errors: invalid
// idempotency_key.
func Key(c echo.Context) (string, error) {
	keys := c.Request().Header[headerKey]
	if len(keys) != 1 || !saneKey(keys[0]) {
		return "", fault.New(fault.KindInvalid, "idempotency_key",
			"send one header Idempotency-Key, 1 to %d printable characters that are new for each command", maxKey)
	}
	return keys[0], nil
}

// digest hashes parts so that no two lists of parts run into one another.
func digest(parts ...string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:", len(p)) // a hash never fails
		_, _ = io.WriteString(h, p)
	}
	h.Sum(sum[:0])
	return sum
}

func saneKey(key string) bool {
	if key == "" || len(key) > maxKey {
		return false
	}
	for i := range len(key) {
		if key[i] < '!' || key[i] > '~' {
			return false
		}
	}
	return true
}

// execute runs the command, and sends what was stored: the first answer and its replays come from the same bytes.
func (o *once) execute(act func(context.Context, Commit) error) error {
	ctx := o.c.Request().Context()
	err := act(ctx, o.commit(ctx))
	if err == nil && !o.committed {
		err = errors.New("a command ended without an error and without a commit")
	}
	if err != nil && !o.committed && storable(err) {
		refusal := o.refusal(err)
		if failed := o.write(ctx, func(context.Context, *database.Tx) (*stored, error) { return refusal, nil }); failed != nil {
			return failed
		}
	}
	if o.answer == nil {
		return err
	}
	if o.replayed {
		return o.replay(o.answer)
	}
	o.send(o.answer, err)
	return nil
}

func (o *once) commit(ctx context.Context) Commit {
	return func(f func(context.Context, *database.Tx) (Answer, error)) error {
		if o.committed {
			return errors.New("a command committed twice")
		}
		o.committed = true
		var refused error
		err := o.write(ctx, func(ctx context.Context, tx *database.Tx) (*stored, error) {
			refused = nil // the database may run this again
			var answer *stored
			err := tx.Savepoint(func() error {
				a, err := f(ctx, tx)
				if err == nil {
					answer, err = success(a)
				}
				return err
			})
			if err != nil && storable(err) {
				refused = err
				return o.refusal(err), nil
			}
			return answer, err
		})
		if err != nil {
			return err
		}
		return refused
	}
}

// write stores what run returns, unless there is an answer by now, from another process.
func (o *once) write(ctx context.Context, run func(context.Context, *database.Tx) (*stored, error)) error {
	var answer *stored
	var replayed bool
	err := o.db.Write(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		answer, err = o.look(tx.QueryRow(selectAnswer, o.id[:]))
		if replayed = answer != nil; replayed || err != nil {
			return err
		}
		if answer, err = run(ctx, tx); err != nil {
			return err
		}
		return tx.ExecLater(insertAnswer, o.id[:], o.print[:], answer.status, answer.location, answer.version, answer.body,
			database.Micros(o.request.server.config.Wall()))
	})
	if err != nil {
		return err
	}
	o.answer, o.replayed = answer, replayed
	return nil
}

// storable tells whether an error is a decision on the command.
func storable(err error) bool {
	status, f := Fault(err)
	return status == http.StatusUnprocessableEntity && f.Kind == fault.KindRefused
}

// stored is an answer as it lies in the table.
type stored struct {
	print    []byte
	status   int
	location string
	version  int64
	body     []byte
}

const (
	selectAnswer = `SELECT fingerprint, status, location, version, body FROM idempotency WHERE request = ?`
	insertAnswer = `INSERT INTO idempotency (request, fingerprint, status, location, version, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`
)

// look returns the answer in a row, or nil.
func (o *once) look(row *sql.Row) (*stored, error) {
	var s stored
	err := row.Scan(&s.print, &s.status, &s.location, &s.version, &s.body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &s, nil
}

func success(a Answer) (*stored, error) {
	if a.Status < 200 || a.Status > 299 {
		return nil, fmt.Errorf("a command succeeded with status %d", a.Status)
	}
	s := &stored{status: a.Status, location: a.Location, version: a.ETag, body: []byte{}}
	if a.Body != nil {
		var err error
		if s.body, err = json.Marshal(a.Body); err != nil {
			return nil, fmt.Errorf("write an answer: %w", err)
		}
	}
	return s, nil
}

func (o *once) refusal(err error) *stored {
	status, f := Fault(err)
	return &stored{status: status, body: problemBody(o.c, o.request, status, f)}
}

// replay sends a stored answer to a repeat of its request.
func (o *once) replay(s *stored) error {
	if string(s.print) != string(o.print[:]) {
		return fault.Refused("idempotency_key_reused", "this key was used for another request")
	}
	o.c.Response().Header().Set(headerReplayed, "true")
	o.send(s, nil)
	return nil
}

// send writes an answer, and notes for the log what act ended with: the refusal that is being sent, or an error after a commit, which
// changes nothing about the answer.
func (o *once) send(s *stored, err error) {
	if err != nil {
		_, o.request.problem = Fault(err)
	}
	if s.status >= http.StatusBadRequest {
		writeProblem(o.c, s.status, o.request.problem, s.body)
		return
	}
	if s.location != "" {
		o.c.Response().Header().Set(echo.HeaderLocation, s.location)
	}
	if s.version != 0 {
		WriteETag(o.c, s.version)
	}
	// The client may be gone; the answer is stored.
	if len(s.body) == 0 {
		_ = o.c.NoContent(s.status)
		return
	}
	_ = o.c.JSONBlob(s.status, s.body)
}

// inFlight are the requests that this process is executing. It is never stored: a crash would leave a key in flight for ever.
type inFlight struct {
	mu  sync.Mutex
	ids map[[sha256.Size]byte]struct{}
}

// enter claims a request, and returns false if somebody has it.
func (f *inFlight) enter(id [sha256.Size]byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.ids[id]; taken {
		return false
	}
	if f.ids == nil {
		f.ids = make(map[[sha256.Size]byte]struct{})
	}
	f.ids[id] = struct{}{}
	return true
}

func (f *inFlight) leave(id [sha256.Size]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, id)
}
