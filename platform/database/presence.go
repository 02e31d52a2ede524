package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// beatTimeout bounds the server's answer to a heartbeat.
const beatTimeout = 5 * time.Second

// jobFree is the notice that a job was left, before its name.
const jobFree = "job/"

// presence is this process among those that have a schema of PostgreSQL open: one connection, which holds the locks that others see, of
// its number and of its jobs, and hears their notices. The server frees the locks when the connection ends, however it ends.
type presence struct {
	schema *schema
	db     *DB
	stop   context.CancelFunc
	ended  chan struct{}

	mu    sync.Mutex
	jobs  map[string]*job
	left  []string           // jobs whose locks are to be given back
	asked bool               // somebody wants a job, or gives one back, since the last beat
	wake  context.CancelFunc // has the connection beat at once
}

// job is one that this process wants, or has.
type job struct {
	taken chan struct{} // closed when it has it
	lost  chan struct{} // closed when it may no longer have it
	has   bool
}

func joinPeers(ctx context.Context, s *schema, db *DB) (*presence, error) {
	p := &presence{schema: s, db: db, ended: make(chan struct{}), jobs: map[string]*job{}, wake: func() {}}
	conn, err := p.connect(ctx)
	if errors.Is(err, errTaken) { // by another process, once in two thousand million times
		s.owner = newOwner()
		conn, err = p.connect(ctx)
	}
	if err != nil {
		return nil, err
	}
	ctx, p.stop = context.WithCancel(context.Background())
	go p.run(ctx, conn)
	return p, nil
}

var errTaken = errors.New("the number of this process is in use")

// connect opens a connection that listens, and holds the lock of this process's number.
func (p *presence) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, p.schema.as("presence", map[string]string{
		"idle_session_timeout": milliseconds(p.schema.patience.silence),
		"statement_timeout":    milliseconds(beatTimeout),
	}))
	if err != nil {
		return nil, p.schema.translate(err)
	}
	var mine bool
	_, err = conn.Exec(ctx, "LISTEN "+pgx.Identifier{p.schema.name}.Sanitize())
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", p.schema.class(), int32(p.schema.owner)).Scan(&mine)
	}
	if err == nil && !mine {
		err = errTaken
	}
	if err != nil {
		return nil, errors.Join(p.schema.translate(err), conn.Close(ctx))
	}
	return conn, nil
}

// class is the number under which the locks of processes' numbers are kept.
func (s *schema) class() int32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "kerf\x00%s\x00owner", s.name)
	return int32(h.Sum32())
}

// run keeps the presence up until ctx ends.
func (p *presence) run(ctx context.Context, conn *pgx.Conn) {
	defer close(p.ended)
	for {
		err := p.keep(ctx, conn)
		p.dropJobs()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = conn.Close(closing)
		cancel()
		if ctx.Err() != nil {
			return
		}
		p.schema.log.Warn("presence lost", "module", p.schema.module, "error", err)
		if conn = p.reconnect(ctx); conn == nil {
			return
		}
		p.schema.log.Info("presence regained", "module", p.schema.module)
		p.db.writer.runHook(p.db.notices.missed)
	}
}

// reconnect returns nil when ctx has ended. The number may be taken for some seconds, by this process's last connection.
func (p *presence) reconnect(ctx context.Context) *pgx.Conn {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if conn, err := p.connect(ctx); err == nil {
			return conn
		}
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
			return nil
		}
	}
}

// keep beats, asks for jobs, gives them back and passes notices on, until the connection is lost or ctx ends.
func (p *presence) keep(ctx context.Context, conn *pgx.Conn) error {
	for {
		if err := p.beat(ctx, conn); err != nil {
			return err
		}
		if err := p.listen(ctx, conn); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return p.beat(context.WithoutCancel(ctx), conn) // What was given back last.
		}
	}
}

// listen passes notices on until it is time to beat.
func (p *presence) listen(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, p.schema.patience.heartbeat)
	defer cancel()
	p.mu.Lock()
	p.wake = cancel
	asked := p.asked
	p.mu.Unlock()
	for !asked {
		notice, err := conn.WaitForNotification(ctx)
		if conn.IsClosed() {
			return cmp.Or(err, pgconn.ErrConnClosed)
		}
		if err != nil {
			return nil
		}
		asked = p.hear(notice.Payload)
	}
	return nil
}

// hear takes in a notice, and reports whether it tells of a job that this process waits for.
func (p *presence) hear(payload string) (wanted bool) {
	owner, topic, _ := strings.Cut(payload, " ")
	if name, free := strings.CutPrefix(topic, jobFree); free {
		p.mu.Lock()
		defer p.mu.Unlock()
		j := p.jobs[name]
		return j != nil && !j.has
	}
	if owner != strconv.FormatInt(p.schema.owner, 10) { // Its own were heard when they were sent.
		p.db.writer.runHook(func() { p.db.notices.foreign(topic) })
	}
	return false
}

// notice is what is sent with NOTIFY: who sends it, and what it is about.
func (s *schema) notice(topic string) string { return strconv.FormatInt(s.owner, 10) + " " + topic }

// beat does in one round trip what there is to do; the server counts it as a sign of life in any case.
func (p *presence) beat(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue("SELECT 1")
	p.mu.Lock()
	p.asked = false
	for _, name := range p.left {
		batch.Queue("SELECT pg_advisory_unlock($1), pg_notify($2, $3)", p.schema.key("job "+name), p.schema.name, p.schema.notice(jobFree+name))
	}
	p.left = nil
	for name, j := range p.jobs {
		if !j.has {
			batch.Queue("SELECT pg_try_advisory_lock($1)", p.schema.key("job "+name)).QueryRow(func(row pgx.Row) error {
				var taken bool
				err := row.Scan(&taken)
				if err == nil && taken {
					p.take(name, j)
				}
				return err
			})
		}
	}
	p.mu.Unlock()
	return conn.SendBatch(ctx, batch).Close()
}

// take records that this process has the job, unless who wanted it gave up meanwhile.
func (p *presence) take(name string, j *job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.jobs[name] != j {
		p.left = append(p.left, name)
		p.asked = true
		return
	}
	j.has = true
	close(j.taken)
}

func (p *presence) acquire(ctx context.Context, name string) (lost <-chan struct{}, err error) {
	j := &job{taken: make(chan struct{}), lost: make(chan struct{})}
	p.mu.Lock()
	p.jobs[name] = j
	p.ask()
	p.mu.Unlock()
	select {
	case <-j.taken:
		return j.lost, nil
	case <-ctx.Done():
		p.release(name)
		return nil, ctx.Err()
	case <-p.ended:
		return nil, unavailable(p.schema.module, errClosed)
	}
}

func (p *presence) release(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j := p.jobs[name]; j != nil && j.has {
		p.left = append(p.left, name)
		p.ask()
	}
	delete(p.jobs, name)
}

// ask has the connection beat soon.
func (p *presence) ask() {
	p.asked = true
	p.wake()
}

// dropJobs tells who had a job that it is lost; who waits for one goes on waiting.
func (p *presence) dropJobs() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = nil
	for name, j := range p.jobs {
		if j.has {
			close(j.lost)
			delete(p.jobs, name)
		}
	}
}

func (p *presence) owner() int64 { return p.schema.owner }

// ownersText finds the numbers whose locks are held.
const ownersText = `SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted
	AND classid::bigint = ? AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

func (p *presence) alive(ctx context.Context, owners []int64) (map[int64]bool, error) {
	alive := make(map[int64]bool, len(owners))
	for _, owner := range owners {
		alive[owner] = owner == p.schema.owner
	}
	rows, err := p.db.Query(ctx, ownersText, int64(uint32(p.schema.class())))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var owner int64
		if err := rows.Scan(&owner); err != nil {
			return nil, err
		}
		if _, asked := alive[owner]; asked {
			alive[owner] = true
		}
	}
	return alive, rows.Err()
}

func (p *presence) close() error {
	p.stop()
	<-p.ended
	return nil
}
