// Package internal is notifications: what becomes of one (notification.go, which knows neither database nor network), its text (texts.go,
// texts/), the store, and the ways in: events (listen.go), the due work that tells consumers (tell.go), calls and requests (routes.go).
package internal

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"kerf/modules/consumers/consumersapi"
	"kerf/modules/notifications/notificationsapi"
	"kerf/platform/database"
	"kerf/platform/work"
)

// tellConsumer is the due work that tells a consumer whatever waits for it, keyed by consumer.
const tellConsumer = "tell_consumer"

// Clock tells domain time and wall time.
type Clock interface {
	Now() time.Time
	Wall() time.Time
}

// Contacts says how to address a consumer.
type Contacts interface {
	// GetContact returns locale and wishes of a consumer. Errors: not found, when there is nobody to tell any more.
	GetContact(context.Context, *consumersapi.GetContactRequest) (*consumersapi.GetContactResponse, error)
}

// Service is notifications.
type Service struct {
	db       *database.DB
	queue    *work.Queue
	clock    Clock
	contacts Contacts
	log      *slog.Logger
	texts    *texts
}

var _ notificationsapi.NotificationsService = (*Service)(nil)

// New makes notifications on its database and registers its due work with the queue.
func New(db *database.DB, queue *work.Queue, clk Clock, contacts Contacts, log *slog.Logger) *Service {
	s := &Service{db: db, queue: queue, clock: clk, contacts: contacts, log: log, texts: parseTexts()}
	queue.Handle(tellConsumer, work.Wall, s.tellConsumer)
	return s
}

// Audit counts the notifications by state: notifications_pending, _sent, _failed and _suppressed.
func (s *Service) Audit(ctx context.Context) (map[string]int64, error) {
	counters := map[string]int64{}
	for _, state := range states {
		counters["notifications_"+strings.ToLower(string(state))] = 0
	}
	rows, err := s.db.Query(ctx, `SELECT state, count(*) FROM notification GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("count notifications: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var state string
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("count notifications: %w", err)
		}
		counters["notifications_"+strings.ToLower(state)] = n
	}
	return counters, rows.Err()
}
