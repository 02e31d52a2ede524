package internal

import (
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/tracking/trackingapi"
	"kerf/platform/identity"
	"kerf/platform/web"
)

const (
	// streamBatch is how many changes are read at a time.
	streamBatch = 100
	// mostOpen is how many open orders a stream of all orders begins with.
	mostOpen = 1000
)

// getEvents is the live stream of an order: every change of its view from where the client left off, or the view as it is and every
// change from there on, and where its courier is.
func (s *Service) getEvents(c echo.Context) error {
	p, view, err := s.viewOf(c)
	if err != nil {
		return err
	}
	stream, err := web.Stream(c)
	if err != nil {
		return err
	}
	defer stream.Close()
	w := s.watchers.watch(view.GetOrderId()) // before the first look at the log, so that no change falls between
	defer s.watchers.leave(w)
	f := &follower{s: s, stream: stream, caller: p, view: view}
	if err := f.begin(); err != nil {
		return err
	}
	for {
		over, err := f.catchUp()
		if err != nil || over {
			return err
		}
		if err := f.sendPositions(w.moves()); err != nil {
			return err
		}
		if !stream.Wait(w.wake) {
			return nil
		}
	}
}

// follower brings the changes of one view to a client.
type follower struct {
	s      *Service
	stream *web.EventStream
	caller identity.Principal
	view   *trackingapi.View // as the client has it, or at first the current one
	last   int64             // sequence that the client has
}

// begin finds out from where the client goes on. One that has nothing, or has been away for longer than the log remembers, or has seen what
// this log never held or the caller may not see, gets the view as it is.
func (f *follower) begin() error {
	last, known := numberOf(f.stream.LastEventID())
	current := f.view.GetSequence()
	if known && last < current {
		next, err := changesOf(f.stream.Context(), f.s.db, f.view.GetOrderId(), last, 1)
		if err != nil {
			return err
		}
		known = len(next) == 1 && next[0].view.GetSequence() == last+1 && maySee(f.caller, next[0].view)
	}
	if known && last <= current {
		f.last = last
		return nil
	}
	return f.send(f.view)
}

func (f *follower) send(v *trackingapi.View) error {
	id := strconv.FormatInt(v.GetSequence(), 10)
	if err := f.stream.Send(web.Event{ID: id, Name: "view", Data: resourceOf(v, f.caller)}); err != nil {
		return err
	}
	f.view, f.last = v, v.GetSequence()
	return nil
}

// catchUp sends what the log holds beyond what the client has. It is over when the order has ended, which it tells the client, or when the
// caller may not see it any more: a courier from whom it was taken.
func (f *follower) catchUp() (over bool, err error) {
	for {
		found, err := changesOf(f.stream.Context(), f.s.db, f.view.GetOrderId(), f.last, streamBatch)
		if err != nil {
			return true, err
		}
		for _, change := range found {
			if !maySee(f.caller, change.view) {
				return true, nil
			}
			if err := f.send(change.view); err != nil {
				return true, err
			}
		}
		if len(found) < streamBatch {
			break
		}
	}
	if !ended(f.view) {
		return false, nil
	}
	return true, f.stream.Send(web.Event{Name: "end", Data: endResource{f.view.GetOrderId(), f.view.GetStatus()}})
}

// sendPositions sends where the order's courier is, while it comes for the order or carries it; other orders of the courier are not told.
func (f *follower) sendPositions(moved []*deliveryapi.CourierMoved) error {
	d := f.view.GetDelivery()
	for _, m := range moved {
		if m.GetCourierId() != d.GetCourierId() || !slices.Contains(onTheWay, d.GetState()) {
			continue
		}
		if err := f.stream.Send(web.Event{Name: "position", Data: positionOf(m, []string{f.view.GetOrderId()})}); err != nil {
			return err
		}
	}
	return nil
}

// onTheWay are the states in which a diner sees the courier.
var onTheWay = []string{Assigned, AtPickup, PickedUp, AtDropoff}

// getAllEvents is the live stream of all orders, for support and administrators. It begins with the orders that are open; its ids are
// positions in the log.
func (s *Service) getAllEvents(c echo.Context) error {
	p, err := web.Require(c, identity.RoleSupport, identity.RoleAdmin)
	if err != nil {
		return err
	}
	stream, err := web.Stream(c)
	if err != nil {
		return err
	}
	defer stream.Close()
	w := s.watchers.watch("")
	defer s.watchers.leave(w)
	last, err := s.beginAll(stream, p)
	if err != nil {
		return err
	}
	for {
		if last, err = s.catchUpAll(stream, p, last); err != nil {
			return err
		}
		for _, m := range w.moves() {
			if err := stream.Send(web.Event{Name: "position", Data: positionOf(m, m.GetOrderIds())}); err != nil {
				return err
			}
		}
		if !stream.Wait(w.wake) {
			return nil
		}
	}
}

// beginAll finds out from which position the client goes on, and sends the open orders to one that does not.
func (s *Service) beginAll(stream *web.EventStream, p identity.Principal) (int64, error) {
	first, end, err := logEnds(stream.Context(), s.db)
	if err != nil {
		return 0, err
	}
	if last, known := numberOf(stream.LastEventID()); known && last >= first-1 && last <= end {
		return last, nil
	}
	views, upTo, err := newestOpen(stream.Context(), s.db, mostOpen)
	if err != nil {
		return 0, err
	}
	if len(views) == 0 {
		return end, nil
	}
	for i, v := range views {
		event := web.Event{Name: "view", Data: resourceOf(v, p)}
		if i == len(views)-1 { // who loses the connection before this, begins anew
			event.ID = strconv.FormatInt(upTo, 10)
		}
		if err := stream.Send(event); err != nil {
			return 0, err
		}
	}
	return upTo, nil
}

// catchUpAll sends what the log holds after a position, and returns where it ends.
func (s *Service) catchUpAll(stream *web.EventStream, p identity.Principal, last int64) (int64, error) {
	for {
		found, err := changes(stream.Context(), s.db, last, streamBatch)
		if err != nil {
			return last, err
		}
		for _, change := range found {
			last = change.position
			event := web.Event{ID: strconv.FormatInt(last, 10), Name: "view", Data: resourceOf(change.view, p)}
			if err := stream.Send(event); err != nil {
				return last, err
			}
		}
		if len(found) < streamBatch {
			return last, nil
		}
	}
}

// numberOf reads a Last-Event-ID; what is none is as good as nothing.
func numberOf(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n >= 0
}
