package town

import (
	"fmt"
	"time"

	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

// wait is a step that waits until something shows, and observes how long that took.
func (j *journey) wait(step Op) (err error) {
	live, o, patience := j.town.live, j.order, j.town.config.Patience
	var since, at time.Time
	switch step {
	case Approved:
		since = j.placed
		at, err = live.await(j.ctx, o.id, patience, rules.Reached("APPROVED"))
	case Offered:
		since = j.ready
		at, err = j.offered(patience)
	case Delivered:
		since = j.dropped
		at, err = live.await(j.ctx, o.id, patience, rules.Reached(api.Delivered))
	}
	if at.Before(since) { // the stream was quicker than the answer
		at = since
	}
	j.caller.Observe(string(step), since, at, err)
	j.after(time.Now())
	return err
}

// offered waits for a courier who has seen the offer.
func (j *journey) offered(patience time.Duration) (time.Time, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case j.order.courier = <-j.order.offers:
		return time.Now(), nil
	case <-timer.C:
		return time.Now(), unseen{fmt.Sprintf("no courier was offered the order in %s", patience), true}
	case <-j.ctx.Done():
		return time.Now(), j.ctx.Err()
	}
}
