package internal

import (
	"context"
	"slices"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/work"
)

const (
	// inApp is the channel that consumers can mute.
	inApp = "in_app"
	// tellBatch is how many notifications of a consumer are told at a time.
	tellBatch = 100
)

// tellConsumer tells a consumer all that waits, in one go: one question, one record. A crash between the two repeats the question only.
func (s *Service) tellConsumer(ctx context.Context, c *work.Claim) error {
	waiting, err := pending(ctx, s.db, c.Key, tellBatch)
	if err != nil || len(waiting) == 0 {
		return err
	}
	as := identity.With(ctx, identity.Service("notifications").For(c.Key))
	contact, err := s.contacts.GetContact(as, &consumersapi.GetContactRequest{ConsumerId: c.Key})
	missing := fault.KindOf(err) == fault.KindNotFound
	if err != nil && !missing {
		return err
	}
	if missing {
		s.log.Warn("a consumer is not there to be told", "consumer", c.Key, "notifications", len(waiting))
	}
	for _, n := range waiting {
		if err := s.answer(n, contact, missing); err != nil {
			return err
		}
	}
	return c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
		for _, n := range waiting {
			if err := writeAnswer(tx, n); err != nil {
				return err
			}
		}
		if len(waiting) == tellBatch {
			c.Again(tx, s.clock.Wall(), nil)
		} else {
			c.Finish(tx)
		}
		return nil
	})
}

// answer gives a notification its end and its text, by what consumers said.
func (s *Service) answer(n *Notification, contact *consumersapi.GetContactResponse, missing bool) error {
	switch {
	case missing:
		n.answer(Missing, text{})
		return nil
	case slices.Contains(contact.GetMutedChannels(), inApp):
		n.answer(Muted, text{})
		return nil
	}
	told, err := s.texts.render(contact.GetLocale(), toConsumer, n.About, n.Facts, n.CreatedAt)
	n.answer(Told, told)
	return err
}
