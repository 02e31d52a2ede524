package web_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/web"
)

// connection is a writer that knows until when it may write.
type connection struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (c *connection) SetWriteDeadline(t time.Time) error {
	c.until = t
	return nil
}

func TestEachWriteOfABoundedAnswerHasItsOwnDeadline(t *testing.T) {
	c := &connection{ResponseRecorder: httptest.NewRecorder()}
	w, done := web.Bounded(echo.New().NewContext(httptest.NewRequest("GET", "/", nil), c))
	for range 2 {
		before := time.Now()
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if left := c.until.Sub(before); left < 10*time.Second || left > 20*time.Second {
			t.Errorf("the client has %s", left)
		}
	}
	if done(); !c.until.IsZero() || c.Body.String() != "xx" {
		t.Errorf("after %q the connection may be written to until %s", c.Body, c.until)
	}
}
