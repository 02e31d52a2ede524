// Package internal is the gateway's inside.
package internal

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/clock"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/platformpb"
	"kerf/platform/web"
)

// Config is what a Gateway is made from.
type Config struct {
	// The owners of an order's parts.
	Orders     orders
	Kitchen    tickets
	Delivery   deliveries
	Accounting payments
	// Platforms are the modules' audits and parked messages, by the name of the module.
	Platforms map[string]platformpb.PlatformService
	// Remotes are the modules whose public operations other processes serve.
	Remotes []Remote
	Keys    *identity.Keys
	// Issuer makes tokens for callers on this machine; nil where that is off.
	Issuer *identity.Issuer
	Clock  *clock.Clock
	// Internal is the address of the internal listener, for the link to the metrics.
	Internal string
	Version  string
	// PartTimeout is how long one module may take for its part of a page, which goes without it then; 2 s if zero.
	PartTimeout time.Duration
}

// The services may answer any fault; what the gateway does with each is said at Gateway.getOrder.
type (
	orders interface {
		GetOrder(context.Context, *ordersapi.GetOrderRequest) (*ordersapi.GetOrderResponse, error)
	}
	tickets interface {
		GetTicket(context.Context, *kitchenapi.GetTicketRequest) (*kitchenapi.GetTicketResponse, error)
	}
	deliveries interface {
		GetDelivery(context.Context, *deliveryapi.GetDeliveryRequest) (*deliveryapi.GetDeliveryResponse, error)
	}
	payments interface {
		GetPayment(context.Context, *accountingapi.GetPaymentRequest) (*accountingapi.GetPaymentResponse, error)
	}
)

// Gateway serves the edge.
type Gateway struct {
	Config
	openapi func() ([]byte, error)
}

// New returns a gateway.
func New(config Config) *Gateway {
	if config.PartTimeout == 0 {
		config.PartTimeout = 2 * time.Second
	}
	return &Gateway{Config: config, openapi: describe()}
}

// orderRoute is the path of an order's page, below the prefix of orders.
const orderRoute = "/v1/orders/:order_id"

// Routes serves the REST operations and the pages for people. It panics if the API's description, which is compiled in, is broken.
func (g *Gateway) Routes(e *echo.Echo) {
	if err := g.proxies(e); err != nil {
		panic(err)
	}
	e.GET(orderRoute, g.getOrder)
	e.GET("/v1/clock", g.getClock)
	e.GET("/.well-known/jwks.json", g.getJWKS)
	if g.Issuer != nil {
		e.POST("/v1/tokens", g.issueToken)
	}
	e.GET("/v1/audit", g.listAudits)
	e.GET("/v1/audit/:module", g.getAudit)
	e.GET("/v1/parked/:module", g.listParked)
	e.POST("/v1/parked/:module/:id/replay", g.replayParked)
	e.POST("/v1/parked/:module/:id/drop", g.dropParked)
	g.pages(e)
}

type clockDocument struct {
	Now      time.Time  `json:"now"`
	Speed    float64    `json:"speed"`
	Segments clock.List `json:"segments"`
}

func (g *Gateway) getClock(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(200, clockDocument{g.Clock.Now(), g.Clock.Speed(), g.Clock.List()})
}

func (g *Gateway) getJWKS(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=300")
	return c.JSON(200, g.Keys.JWKS())
}

type tokenRequest struct {
	Roles      []identity.Role `json:"roles"`
	Subject    string          `json:"subject"`
	Owns       []string        `json:"owns"`
	TTLSeconds *int64          `json:"ttl_seconds"`
}

const (
	maxRoles = 5
	maxOwned = 100
)

type tokenDocument struct {
	Token     string    `json:"token"`
	TokenType string    `json:"token_type"`
	Subject   string    `json:"subject"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (g *Gateway) issueToken(c echo.Context) error {
	if err := web.RequireLoopback(c); err != nil {
		return err
	}
	var req tokenRequest
	if err := web.Bind(c, &req); err != nil {
		return err
	}
	ttl := int64(identity.DefaultTTL / time.Second)
	if req.TTLSeconds != nil {
		ttl = *req.TTLSeconds
	}
	var checks fault.Checks
	// Before the issuer looks at each of them, and tells what is wrong with each.
	checks.That(len(req.Roles) <= maxRoles, "roles", "must be at most %d", maxRoles)
	checks.Text(req.Subject, "subject", 0, 128)
	checks.That(len(req.Owns) <= maxOwned, "owns", "must be at most %d ids", maxOwned)
	checks.That(ttl >= 1 && ttl <= int64(identity.MaxTTL/time.Second), "ttl_seconds", "must be 1 to 86400")
	if err := checks.Err(); err != nil {
		return err
	}
	token, err := g.Issuer.Issue(identity.TokenRequest{Roles: req.Roles, Subject: req.Subject, Owns: req.Owns,
		TTL: time.Duration(ttl) * time.Second})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(201, tokenDocument{token.Token, "Bearer", token.Subject, token.ExpiresAt})
}
