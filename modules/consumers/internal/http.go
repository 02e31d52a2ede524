package internal

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/proto"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

const root = "/v1/consumers"

// Routes adds the module's part of the public API.
func (s *Service) Routes(e *echo.Echo) {
	e.POST(root, s.postConsumer)
	e.GET(root+"/:id", s.getConsumer)
	e.PATCH(root+"/:id", s.patchConsumer)
	e.PUT(root+"/:id/default-address", s.putDefaultAddress)
	e.PUT(root+"/:id/notification-preferences", s.putPreferences)
	e.POST(root+"/:id/suspension", s.postSuspension)
	e.POST(root+"/:id/reactivation", s.postReactivation)
	e.POST(root+"/:id/closure", s.postClosure)

	e.GET(root+"/:id/addresses", s.getAddresses)
	e.POST(root+"/:id/addresses", s.postAddress)
	e.GET(root+"/:id/addresses/:address", s.getAddress)
	e.PUT(root+"/:id/addresses/:address", s.putAddress)
	e.DELETE(root+"/:id/addresses/:address", s.deleteAddress)

	e.GET(root+"/:id/payment-methods", s.getPaymentMethods)
	e.POST(root+"/:id/payment-methods", s.postPaymentMethod)
	e.GET(root+"/:id/payment-methods/:method", s.getPaymentMethod)
	e.DELETE(root+"/:id/payment-methods/:method", s.deletePaymentMethod)
}

// requireOwner returns the caller if the consumer of the path is its own. Not found for somebody else's.
func requireOwner(c echo.Context) (identity.Principal, error) {
	by, err := web.Require(c, identity.RoleConsumer)
	if err == nil && !by.Owns(c.Param("id")) {
		err = fault.NotFound("consumer")
	}
	return by, err
}

// requireReader returns the caller if it may see the consumer of the path: its own, or any for support and administrators.
func requireReader(c echo.Context) (identity.Principal, error) {
	by, err := web.Require(c, identity.RoleConsumer, identity.RoleSupport, identity.RoleAdmin)
	if err == nil && !isStaff(by) && !by.Owns(c.Param("id")) {
		err = fault.NotFound("consumer")
	}
	return by, err
}

func requireStaff(c echo.Context) (identity.Principal, error) {
	return web.Require(c, identity.RoleSupport, identity.RoleAdmin)
}

func isStaff(p identity.Principal) bool { return p.Has(identity.RoleSupport, identity.RoleAdmin) }

func (s *Service) postConsumer(c echo.Context) error {
	by, err := web.Require(c, identity.RoleConsumer)
	if err != nil {
		return err
	}
	var registration Registration
	if err := web.Bind(c, &registration); err != nil {
		return err
	}
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		consumer, err := s.register(ctx, tx, by, &registration)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusCreated, Location: consumer.path(), ETag: consumer.Version, Body: consumer.view(by)}, nil
	})
}

func (s *Service) getConsumer(c echo.Context) error {
	by, err := requireReader(c)
	if err != nil {
		return err
	}
	consumer, err := find(s.db.Read(c.Request().Context()), c.Param("id"))
	if err != nil {
		return err
	}
	return web.Versioned(c, consumer.Version, consumer.view(by))
}

func (s *Service) patchConsumer(c echo.Context) error {
	var profile Profile
	return s.put(c, &profile, func(_ *database.Tx, consumer *Consumer) (proto.Message, error) {
		if err := refuseNulls(c); err != nil {
			return nil, err
		}
		was := consumer.profile()
		if err := profile.update(consumer); err != nil || consumer.profile() == was {
			return nil, err
		}
		return &consumersapi.ProfileUpdated{ConsumerId: consumer.ID}, nil
	})
}

// refuseNulls answers Invalid for a member of the body that is null. Where what is left out stays as it is, null could mean that or
// nothing at all, so it means neither.
func refuseNulls(c echo.Context) error {
	var members map[string]any
	if err := web.Bind(c, &members); err != nil {
		return err
	}
	var v fault.Checks
	for _, name := range slices.Sorted(maps.Keys(members)) {
		v.That(members[name] != nil, name, "must not be null; what is left out stays as it is")
	}
	return v.Err()
}

func (s *Service) putDefaultAddress(c echo.Context) error {
	var body struct {
		AddressID string `json:"address_id"`
	}
	return s.put(c, &body, func(tx *database.Tx, consumer *Consumer) (proto.Message, error) {
		if _, err := ids.Parse("address_id", body.AddressID); err != nil {
			return nil, err
		}
		a, err := findAddress(tx.Gorm(), consumer.ID, body.AddressID)
		if fault.KindOf(err) == fault.KindNotFound {
			return nil, notTheirs("address", "address_id")
		}
		if err != nil {
			return nil, err
		}
		consumer.DefaultAddressID = a.ID
		return &consumersapi.ProfileUpdated{ConsumerId: consumer.ID}, nil
	})
}

func (s *Service) putPreferences(c echo.Context) error {
	var preferences Preferences
	return s.put(c, &preferences, func(_ *database.Tx, consumer *Consumer) (proto.Message, error) {
		if err := preferences.validate(); err != nil {
			return nil, err
		}
		consumer.MutedChannels = *preferences.MutedChannels
		return &consumersapi.ProfileUpdated{ConsumerId: consumer.ID}, nil
	})
}

// put answers with the consumer after an edit by its owner, who states the version; the command is read into body before do runs.
func (s *Service) put(c echo.Context, body any, do func(tx *database.Tx, consumer *Consumer) (proto.Message, error)) error {
	by, err := requireOwner(c)
	if err != nil {
		return err
	}
	seen, err := web.RequireIfMatch(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, body); err != nil {
		return err
	}
	return s.change(c, by, func(ctx context.Context, tx *database.Tx) (*Consumer, error) {
		return s.edit(ctx, tx, c.Param("id"), seen, OnEdit, func(consumer *Consumer) (proto.Message, error) { return do(tx, consumer) })
	})
}

func (s *Service) postSuspension(c echo.Context) error {
	by, err := requireStaff(c)
	if err != nil {
		return err
	}
	var suspension Suspension
	if err := web.Bind(c, &suspension); err != nil {
		return err
	}
	if err := suspension.validate(); err != nil {
		return err
	}
	return s.act(c, by, OnSuspend, func(consumer *Consumer) proto.Message {
		consumer.SuspensionReason = suspension.Reason
		return &consumersapi.ConsumerSuspended{ConsumerId: consumer.ID, Reason: suspension.Reason}
	})
}

func (s *Service) postReactivation(c echo.Context) error {
	by, err := requireStaff(c)
	if err != nil {
		return err
	}
	if err := bindNothing(c); err != nil {
		return err
	}
	return s.act(c, by, OnReactivate, func(consumer *Consumer) proto.Message {
		consumer.SuspensionReason = ""
		return &consumersapi.ConsumerReactivated{ConsumerId: consumer.ID}
	})
}

// act answers with the consumer after a change of state.
func (s *Service) act(c echo.Context, by identity.Principal, on Trigger, do func(consumer *Consumer) proto.Message) error {
	seen, _, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	return s.change(c, by, func(ctx context.Context, tx *database.Tx) (*Consumer, error) {
		return s.edit(ctx, tx, c.Param("id"), seen, on, func(consumer *Consumer) (proto.Message, error) { return do(consumer), nil })
	})
}

func (s *Service) postClosure(c echo.Context) error {
	by, err := requireReader(c) // whoever may see it may close it: owner, support, administrators
	if err != nil {
		return err
	}
	seen, _, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	if err := bindNothing(c); err != nil {
		return err
	}
	return s.change(c, by, func(ctx context.Context, tx *database.Tx) (*Consumer, error) {
		return s.close(ctx, tx, c.Param("id"), seen)
	})
}

// change answers with the consumer that a command has changed.
func (s *Service) change(c echo.Context, by identity.Principal, do func(ctx context.Context, tx *database.Tx) (*Consumer, error)) error {
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		consumer, err := do(ctx, tx)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusOK, ETag: consumer.Version, Body: consumer.view(by)}, nil
	})
}

// once answers a command that needs nothing but its transaction.
func (s *Service) once(c echo.Context, f func(ctx context.Context, tx *database.Tx) (web.Answer, error)) error {
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error { return commit(f) })
}

// bindNothing reads the body of a command without arguments: {} or nothing at all.
func bindNothing(c echo.Context) error {
	if c.Request().ContentLength == 0 {
		return nil
	}
	return web.Bind(c, &struct{}{})
}
