package internal

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

const (
	// patience is how long a request waits for the first view of an order.
	patience = 2 * time.Second
	// fresh is how old an order may be that still gets its first view: the event of an older one has come long since, or is held up for
	// longer than anybody waits. It is also how far the clocks of two processes may differ.
	fresh = time.Minute
	// mostPatient is how many requests wait at the same time; those beyond it are answered as if they had waited.
	mostPatient = 1000
)

// firstView returns the view of an order that has none yet, as soon as orders has been heard of it, if the caller may see it: whoever places
// an order looks at it before that. NotFound if it does not come; unavailable if the server drains.
func (s *Service) firstView(c echo.Context, p identity.Principal, orderID string) (*trackingapi.View, error) {
	select {
	case s.patient <- struct{}{}:
		defer func() { <-s.patient }()
	default:
		return nil, fault.NotFound("order")
	}
	// Lasting like a stream, the request ends when the client leaves or the server drains. Afterwards it is what it was.
	asked := c.Request()
	end, err := web.Relay(c)
	if err != nil {
		return nil, err
	}
	over := c.Request().Context().Done()
	defer func() {
		end()
		c.SetRequest(asked)
	}()
	w := s.watchers.watch(orderID) // before the look at the table, so that no commit falls between
	defer s.watchers.leave(w)
	limit := s.clock.WallTimer(s.clock.Wall().Add(patience))
	defer limit.Stop()
	for {
		v, err := read(asked.Context(), s.db, orderID)
		switch {
		case err == nil && maySee(p, v):
			return v, nil
		case err == nil && v.GetOrder() == nil: // another module's event came first, and does not say whose it is
			err = fault.NotFound("order")
		case err == nil:
			return nil, fault.NotFound("order")
		case fault.KindOf(err) != fault.KindNotFound:
			return nil, err
		}
		select {
		case <-w.wake:
		case <-limit.C:
			return nil, err
		case <-over:
			return nil, fault.Unavailable(time.Second, "draining", "this server is stopping")
		}
	}
}

// mayCome tells whether an order that has no view may get one in a moment: its id says that it was made just now.
func (s *Service) mayCome(orderID string) bool {
	made, ok := madeAt(orderID)
	return ok && s.clock.Wall().Sub(made).Abs() <= fresh
}

// madeAt reads when a valid id was made, of the wall clock; false for one that does not tell.
func madeAt(id string) (time.Time, bool) {
	if id[14] != '7' { // the version of UUIDs that begin with milliseconds
		return time.Time{}, false
	}
	milliseconds, err := strconv.ParseInt(id[:8]+id[9:13], 16, 64)
	return time.UnixMilli(milliseconds), err == nil
}
