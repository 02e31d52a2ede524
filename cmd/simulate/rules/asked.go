package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"kerf/cmd/simulate/api"
)

// Placed is an order that somebody asked for.
type Placed struct {
	ID                  string // empty until the server has acknowledged it
	QuoteID, ConsumerID string
	Refused             string // why the server would not have it, if it said so
}

// Asked lists the orders placed since a domain instant, and holds them against those that were asked for: none may be missing that was
// acknowledged, and none be there that was not wanted (I1, I2). One that was sent and not answered may be there or not. ours tells whose
// orders are held against placed. It returns the ids of those that are there, by quote, and how many there are of other people.
func (f *Found) Asked(
	ctx context.Context, staff *api.Caller, since time.Time, ours func(consumerID string) bool, placed []Placed,
) (listed map[string]string, foreign int, err error) {
	asked := make(map[string]*Placed, len(placed))
	listed = make(map[string]string, len(placed))
	for i, p := range placed {
		if p.QuoteID != "" {
			asked[p.QuoteID] = &placed[i]
		}
	}
	query := url.Values{"limit": {"100"}, "placed_after": {since.Format(time.RFC3339Nano)}}
	for o, err := range api.All[api.Order](ctx, staff, "/v1/orders?"+query.Encode()) {
		if err != nil {
			return nil, 0, err
		}
		p := asked[o.QuoteID]
		switch {
		case p == nil && !ours(o.ConsumerID):
			foreign++
		case p == nil || p.ConsumerID != o.ConsumerID || p.ID != "" && p.ID != o.ID || listed[o.QuoteID] != "":
			f.Violated("I2", "order %s was never asked for", o.ID)
		case p.Refused != "":
			f.Violated("I2", "order %s exists, though it was refused: %s", o.ID, p.Refused)
		}
		listed[o.QuoteID] = o.ID
	}
	for _, p := range placed {
		if p.ID != "" && listed[p.QuoteID] == "" {
			f.Violated("I1", "order %s was acknowledged and is not listed", p.ID)
		}
	}
	return listed, foreign, nil
}

// Charges counts the captures of each order in the ledger (I3).
func (f *Found) Charges(ctx context.Context, staff *api.Caller, ours func(orderID string) bool) error {
	captures := map[string]int{}
	for posting, err := range api.All[api.Posting](ctx, staff, "/v1/ledger/postings?limit=100") {
		if err != nil {
			return err
		}
		if posting.Kind == "capture" && ours(posting.OrderID) {
			captures[posting.OrderID]++
		}
	}
	for id, n := range captures {
		if n > 1 {
			f.Violated("I3", "order %s was charged %d times", id, n)
		}
	}
	return nil
}

// Sent is a request that placed an order, and its answer. The body has notes.
type Sent struct {
	OrderID, Key string
	Body, Answer []byte
}

// Repeat sends a request that placed an order again: as it was, and with another body (I4).
func (f *Found) Repeat(ctx context.Context, diner *api.Caller, sent Sent) error {
	again := api.Request{Method: http.MethodPost, Path: "/v1/orders", Key: sent.Key, Body: json.RawMessage(sent.Body)}
	answer, err := diner.Do(ctx, again)
	if _, refused := api.Refused(err); err != nil && !refused {
		return err
	}
	if answer.Status != http.StatusCreated || !answer.Replayed || !bytes.Equal(answer.Body, sent.Answer) {
		f.Violated("I4", "the request of order %s, sent again, was answered otherwise (status %d)", sent.OrderID, answer.Status)
	}
	again.Body = json.RawMessage(bytes.Replace(sent.Body, []byte(`"notes":"`), []byte(`"notes":"more of `), 1))
	_, err = diner.Do(ctx, again)
	if problem, refused := api.Refused(err); !refused || problem.Status != http.StatusUnprocessableEntity {
		f.Violated("I4", "the key of order %s was taken for another request: %v", sent.OrderID, err)
	}
	return nil
}
