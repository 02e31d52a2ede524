package internal

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/notifications/notificationsapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

// Routes adds this module's part of the public API, as notificationsapi.OpenAPI describes it.
func (s *Service) Routes(e *echo.Echo) {
	e.GET("/v1/notifications", s.getNotifications)
	e.POST("/v1/notifications/:id/read", s.postRead)
}

// seesAll tells whether the caller may look into every inbox, and at what was not sent.
func seesAll(p identity.Principal) bool {
	return p.Has(identity.RoleSupport, identity.RoleAdmin, identity.RoleService)
}

// ListNotifications returns an inbox: see the contract.
func (s *Service) ListNotifications(ctx context.Context, req *notificationsapi.ListNotificationsRequest) (*notificationsapi.ListNotificationsResponse, error) {
	p, _ := identity.From(ctx)
	var v fault.Checks
	v.That(req.GetRecipientId() != "", "recipient_id", "must be given")
	v.That(req.GetLimit() >= 1 && req.GetLimit() <= web.MaxLimit, "limit", "must be from 1 to 100")
	if err := v.Err(); err != nil {
		return nil, err
	}
	if !seesAll(p) && !p.Owns(req.GetRecipientId()) {
		return nil, fault.NotFound("recipient")
	}
	before := ""
	if req.GetAfter() != "" {
		last, err := scan(s.db.QueryRow(ctx, selectNotification, req.GetAfter()))
		if fault.KindOf(err) == fault.KindNotFound || err == nil && last.RecipientID != req.GetRecipientId() {
			return nil, fault.Invalid(fault.Violation{Field: "after", Description: "must be a notification of the recipient"})
		}
		if err != nil {
			return nil, err
		}
		before = last.EventID
	}
	found, err := inboxOf(ctx, s.db, req.GetRecipientId(), before, seesAll(p), int(req.GetLimit()))
	if err != nil {
		return nil, err
	}
	res := &notificationsapi.ListNotificationsResponse{}
	for _, n := range found {
		res.Notifications = append(res.Notifications, messageOf(n))
	}
	return res, nil
}

func messageOf(n *Notification) *notificationsapi.Notification {
	m := &notificationsapi.Notification{
		NotificationId: n.ID, RecipientId: n.RecipientID, About: n.About, OrderId: n.OrderID,
		State: notificationsapi.NotificationState(notificationsapi.NotificationState_value["NOTIFICATION_STATE_"+string(n.State)]),
		Title: n.Text.title, Body: n.Text.body, Locale: n.Text.locale, CreatedAt: timestamppb.New(n.CreatedAt),
	}
	if !n.ReadAt.IsZero() {
		m.ReadAt = timestamppb.New(n.ReadAt)
	}
	return m
}

func (s *Service) getNotifications(c echo.Context) error {
	p, err := web.Require(c)
	if err != nil {
		return err
	}
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	recipientID := p.Subject
	if asked := c.QueryParam("recipient_id"); asked != "" {
		if recipientID, err = ids.Parse("recipient_id", asked); err != nil {
			return err
		}
	}
	if !seesAll(p) && !p.Owns(recipientID) {
		return fault.NotFound("recipient")
	}
	found, err := inboxOf(c.Request().Context(), s.db, recipientID, page.After.Key, seesAll(p), page.Limit+1)
	if err != nil {
		return err
	}
	resources := make([]notificationResource, len(found))
	for i, n := range found {
		resources[i] = resourceOf(n, p)
	}
	return c.JSON(http.StatusOK, web.CollectionOf(c, page, resources, func(last notificationResource) web.Cursor {
		return web.Cursor{Key: last.eventID, ID: last.ID}
	}))
}

// postRead marks a notification of the caller's own read; one that was read stays as it is.
func (s *Service) postRead(c echo.Context) error {
	p, err := web.Require(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, &struct{}{}); err != nil {
		return err
	}
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error {
		return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) {
			n, err := scan(tx.QueryRow(selectNotification, c.Param("id")))
			if err != nil {
				return web.Answer{}, err
			}
			if !p.Owns(n.RecipientID) || n.State != Sent {
				return web.Answer{}, fault.NotFound("notification")
			}
			if n.ReadAt.IsZero() {
				n.ReadAt = s.clock.Now()
				if err := writeRead(tx, n); err != nil {
					return web.Answer{}, err
				}
			}
			return web.Answer{Status: http.StatusOK, Body: resourceOf(n, p)}, nil
		})
	})
}

// notificationResource is a notification in the public API.
type notificationResource struct {
	ID          string    `json:"id"`
	RecipientID string    `json:"recipient_id"`
	State       State     `json:"state"`
	About       string    `json:"about"`
	OrderID     string    `json:"order_id"`
	Title       string    `json:"title,omitempty"`
	Body        string    `json:"body,omitempty"`
	Locale      string    `json:"locale,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	ReadAt      time.Time `json:"read_at,omitzero"`
	Links       web.Links `json:"_links"`

	eventID string // for the cursor
}

func resourceOf(n *Notification, p identity.Principal) notificationResource {
	links := web.Links{}
	if seesAll(p) || p.Has(identity.RoleConsumer, identity.RoleRestaurant) { // a courier may have lost the order since
		links.Get("tracking", "/v1/tracking/"+n.OrderID)
	}
	if p.Owns(n.RecipientID) && n.State == Sent && n.ReadAt.IsZero() {
		links.Act("read", http.MethodPost, "/v1/notifications/"+n.ID+"/read")
	}
	return notificationResource{
		ID: n.ID, RecipientID: n.RecipientID, State: n.State, About: n.About, OrderID: n.OrderID,
		Title: n.Text.title, Body: n.Text.body, Locale: n.Text.locale, CreatedAt: n.CreatedAt, ReadAt: n.ReadAt, Links: links,
		eventID: n.EventID,
	}
}
