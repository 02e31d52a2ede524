package town

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"kerf/benchmarks/load"
	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

// tell has the stream say that an order has a status.
func (l *live) tell(order string, sequence int, status string) {
	l.hear(api.Event{Name: "view", Data: fmt.Appendf(nil,
		`{"order_id":%q,"sequence":%d,"consumer_id":"c","status":%q,"order":{"sequence":9,"state":"x"},"ticket":{"sequence":8,"state":"y"}}`,
		order, sequence, status)})
}

func TestTheStreamTellsWhenItWasFirst(t *testing.T) {
	l := newLive()
	l.hear(api.Event{Name: "position", Data: []byte(`{"order_ids":["o"],"sequence":4}`)})
	approved := make(chan error, 1)
	go func() {
		_, err := l.await(t.Context(), "o", time.Minute, rules.Reached("APPROVED"))
		approved <- err
	}()
	l.tell("o", 1, "PENDING")
	l.tell("o", 4, "READY") // what lies between was passed
	if err := <-approved; err != nil {
		t.Error(err)
	}
	at := map[string]time.Time{}
	for _, status := range []string{"", "APPROVED", "ACCEPTED", "READY"} {
		var err error
		if at[status], err = l.await(t.Context(), "o", time.Minute, rules.Reached(status)); err != nil {
			t.Errorf("%q: %v", status, err)
		}
	}
	if at[""].After(at["APPROVED"]) || at["APPROVED"] != at["READY"] {
		t.Errorf("told at %v", at)
	}
	l.tell("o", 5, "PICKED_UP")
	if again, _ := l.await(t.Context(), "o", time.Minute, rules.Reached("READY")); again != at["READY"] {
		t.Error("the first time counts")
	}
}

func TestAWaitForTheStreamEnds(t *testing.T) {
	l := newLive()
	l.tell("rejected", 1, "REJECTED")
	l.tell("waiting", 1, "PENDING")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx      context.Context
		order    string
		patience time.Duration
		kind     string
	}{
		"it ended otherwise":   {t.Context(), "rejected", time.Minute, "unseen"},
		"nothing more is told": {t.Context(), "waiting", time.Millisecond, load.KindDeadline},
		"the load was cut":     {ended, "waiting", time.Minute, load.KindCut},
	} {
		if _, err := l.await(c.ctx, c.order, c.patience, rules.Reached("APPROVED")); err == nil || load.Kind(err) != c.kind {
			t.Errorf("%s: %v, which counts as %s", name, err, load.Kind(err))
		}
	}
	gone := errors.New("gone")
	l.end(gone)
	if _, err := l.await(t.Context(), "waiting", time.Minute, 1); !errors.Is(err, gone) {
		t.Errorf("after the stream has ended: %v", err)
	}
}

func TestAnswersAreScanned(t *testing.T) {
	body := []byte(`{"id":"a","lines":[{"total":{"amount":7}}],"total":{"amount":1234,"currency":"EUR"},"missing":[]}`)
	if got := text(body, `"id":"`); got != "a" {
		t.Errorf("text is %q", got)
	}
	if got := text(body, `"pin":"`); got != "" {
		t.Errorf("what is not there is %q", got)
	}
	if got := number(body, `"total":{"amount":`); got != 1234 {
		t.Errorf("the last total is %d", got)
	}
	if number(body, `"tax":`) != 0 || after(body, `"tax":`) != nil {
		t.Error("what is not there was found")
	}
}

func TestFailuresOfConnectionsAreCountedByKind(t *testing.T) {
	stuck := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stuck":
			<-stuck
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/refused":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"status":422,"code":"quote_used"}`))
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"status":503,"code":"orders_unavailable"}`))
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stuck) })
	gone := httptest.NewServer(nil)
	gone.Close()
	for path, kind := range map[string]string{
		"/ok": "", "/stuck": load.KindDeadline, "/broken": load.KindReset, "/refused": "422 quote_used", "/down": "503", "/gone": load.KindRefused,
	} {
		target, patience := server.URL, time.Minute
		switch path {
		case "/gone":
			target = gone.URL
		case "/stuck":
			patience = 20 * time.Millisecond
		}
		l := newLines(target, nil)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := l.exchange(ctx, 0, request{method: "GET", path: path}, nil)
		cancel()
		if (err == nil) != (kind == "") || err != nil && load.Kind(err) != kind {
			t.Errorf("%s: %v", path, err)
		}
		l.close()
	}
}
