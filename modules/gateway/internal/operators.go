package internal

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/platformpb"
	"kerf/platform/web"
)

type auditList struct {
	Modules []string `json:"modules"`
	// Unavailable are those that do not answer now.
	Unavailable []unavailable `json:"unavailable"`
	Links       web.Links     `json:"_links"`
}

type unavailable struct {
	Module string `json:"module"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

type audit struct {
	Module    string           `json:"module"`
	Written   int64            `json:"written"`
	Published int64            `json:"published"`
	Settled   int64            `json:"settled"`
	Consumed  map[string]int64 `json:"consumed"`
	Parked    int64            `json:"parked"`
	Dropped   int64            `json:"dropped"`
	WorkOpen  int64            `json:"work_open"`
	WorkStuck int64            `json:"work_stuck"`
	Counters  map[string]int64 `json:"counters"`
}

type parkedMessage struct {
	ID       string    `json:"id"`
	EventID  string    `json:"event_id"`
	Type     string    `json:"type"`
	Source   string    `json:"source"`
	Subject  string    `json:"subject"`
	Key      string    `json:"key"`
	Sequence int64     `json:"sequence"`
	Cause    string    `json:"cause"`
	Attempts int32     `json:"attempts"`
	ParkedAt time.Time `json:"parked_at"`
	Head     bool      `json:"head"`
	Links    web.Links `json:"_links"`
}

type handled struct {
	Handled int32 `json:"handled"`
}

func (g *Gateway) listAudits(c echo.Context) error {
	if _, err := web.Require(c, identity.RoleAdmin); err != nil {
		return err
	}
	list := auditList{Modules: slices.Sorted(maps.Keys(g.Platforms)), Links: web.Links{"self": {Href: "/v1/audit"}}}
	for _, module := range list.Modules {
		list.Links.Get(module, "/v1/audit/"+module)
	}
	list.Unavailable = g.unavailable(c.Request().Context(), list.Modules)
	return c.JSON(200, list)
}

// unavailable asks all modules at the same time for something small, and returns those that do not answer.
func (g *Gateway) unavailable(ctx context.Context, modules []string) []unavailable {
	silent := []unavailable{}
	var asking sync.WaitGroup
	errs := make([]error, len(modules))
	for i, module := range modules {
		asking.Go(func() {
			g.withTimeout(ctx, func(ctx context.Context) {
				_, errs[i] = g.Platforms[module].ListParked(ctx, &platformpb.ListParkedRequest{Limit: 1})
			})
		})
	}
	asking.Wait()
	for i, module := range modules {
		if f := fault.As(errs[i]); f != nil {
			silent = append(silent, unavailable{module, f.Code, f.Message})
		}
	}
	return silent
}

// platform returns the named module's operations for operators, if the caller is one.
func (g *Gateway) platform(c echo.Context) (platformpb.PlatformService, identity.Principal, error) {
	caller, err := web.Require(c, identity.RoleAdmin)
	if err != nil {
		return nil, caller, err
	}
	if p, ok := g.Platforms[c.Param("module")]; ok {
		return p, caller, nil
	}
	return nil, caller, fault.NotFound("module")
}

func (g *Gateway) getAudit(c echo.Context) error {
	platform, _, err := g.platform(c)
	if err != nil {
		return err
	}
	res, err := platform.Audit(c.Request().Context(), &platformpb.AuditRequest{})
	if err != nil {
		return err
	}
	a := audit{
		Module: c.Param("module"), Written: res.GetWritten(), Published: res.GetPublished(), Settled: res.GetSettled(),
		Consumed: res.GetConsumed(), Parked: res.GetParked(), Dropped: res.GetDropped(),
		WorkOpen: res.GetWorkOpen(), WorkStuck: res.GetWorkStuck(), Counters: res.GetCounters(),
	}
	if a.Consumed == nil {
		a.Consumed = map[string]int64{}
	}
	if a.Counters == nil {
		a.Counters = map[string]int64{}
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(200, a)
}

func (g *Gateway) listParked(c echo.Context) error {
	platform, _, err := g.platform(c)
	if err != nil {
		return err
	}
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	res, err := platform.ListParked(c.Request().Context(), &platformpb.ListParkedRequest{After: page.After.ID, Limit: int32(page.Limit)})
	if err != nil {
		return err
	}
	list := web.Collection[parkedMessage]{Items: []parkedMessage{}, Links: web.PageLinks(c, web.Cursor{})}
	for _, m := range res.GetMessages() {
		item := parkedMessage{
			ID: m.GetId(), EventID: m.GetEventId(), Type: m.GetType(), Source: m.GetSource(), Subject: m.GetSubject(), Key: m.GetKey(),
			Sequence: m.GetSequence(), Cause: m.GetCause(), Attempts: m.GetAttempts(), ParkedAt: m.GetParkedAt().AsTime(), Head: m.GetHead(),
			Links: web.Links{},
		}
		if item.Head {
			self := "/v1/parked/" + c.Param("module") + "/" + item.ID
			item.Links.Act("replay", "POST", self+"/replay")
			item.Links.Act("drop", "POST", self+"/drop")
		}
		list.Items = append(list.Items, item)
	}
	if n := len(list.Items); n == page.Limit {
		list.Links = web.PageLinks(c, web.Cursor{ID: list.Items[n-1].ID})
	}
	return c.JSON(200, list)
}

func (g *Gateway) replayParked(c echo.Context) error {
	platform, caller, err := g.platform(c)
	if err != nil {
		return err
	}
	key, err := operationKey(c, caller)
	if err != nil {
		return err
	}
	res, err := platform.ReplayParked(c.Request().Context(), &platformpb.ReplayParkedRequest{Id: c.Param("id"), OperationKey: key})
	if err != nil {
		return err
	}
	return c.JSON(200, handled{res.GetHandled()})
}

func (g *Gateway) dropParked(c echo.Context) error {
	platform, caller, err := g.platform(c)
	if err != nil {
		return err
	}
	key, err := operationKey(c, caller)
	if err != nil {
		return err
	}
	res, err := platform.DropParked(c.Request().Context(), &platformpb.DropParkedRequest{Id: c.Param("id"), OperationKey: key})
	if err != nil {
		return err
	}
	return c.JSON(200, handled{res.GetHandled()})
}

// operationKey makes the caller's Idempotency-Key the key of the module's operation: the gateway has no data of its own to keep it in.
func operationKey(c echo.Context, caller identity.Principal) (string, error) {
	key, err := web.Key(c)
	if err != nil {
		return "", err
	}
	return "edge/" + caller.Subject + "/" + key, nil
}
