package experiments

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
	"kerf/platform/rpc"
	"kerf/platform/web"
)

// serving is what a child that serves says when it is ready.
type serving struct {
	Address string `json:"address"`
	Token   string `json:"token,omitempty"` // REST wants one
}

// serveChild serves GetQuote on loopback until ctx ends: on an internal port, which speaks all protocols of calls, or as REST.
func serveChild(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	protocol := flags.String("protocol", "grpc", "grpc, connect, json or rest")
	work := flags.Duration("work", 0, "CPU that a call takes besides")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := serving{Address: listener.Addr().String()}
	if *protocol == "rest" {
		return serveREST(ctx, listener, at, quotes{*work}, stdout)
	}
	server := rpc.NewServer(rpc.ServerConfig{Log: accessLog(), Registry: prometheus.NewRegistry(), SpeaksForUsers: []string{"orders"}})
	restaurantsapi.RegisterRestaurantsService(server.For("restaurants"), quotes{*work})
	if err := tell(stdout, at); err != nil {
		return errors.Join(err, listener.Close())
	}
	return rpc.Internal{Listener: listener, Server: server, HTTP: http.NotFoundHandler(), Grace: time.Second, Log: accessLog()}.Run(ctx)
}

// accessLog writes what a process of Kerf's would write, to nowhere.
func accessLog() *slog.Logger { return slog.New(slog.NewJSONHandler(io.Discard, nil)) }

// quotes is restaurants without a database: each quote is the same, and takes some work to make.
type quotes struct{ work time.Duration }

func (q quotes) GetQuote(_ context.Context, req *restaurantsapi.GetQuoteRequest) (*restaurantsapi.GetQuoteResponse, error) {
	spend(q.work)
	return &restaurantsapi.GetQuoteResponse{Quote: quoteFor(req)}, nil
}

// spend uses so much CPU of its thread, however long that takes.
func spend(work time.Duration) {
	if work <= 0 {
		return
	}
	var block [512]byte
	release, used := threadTime()
	defer release()
	for start := used(); used()-start < work; {
		sum := sha256.Sum256(block[:])
		copy(block[:], sum[:])
	}
}

func quoteFor(req *restaurantsapi.GetQuoteRequest) *restaurantsapi.Quote {
	eur := func(amount int64) *kerfpb.Money { return &kerfpb.Money{Amount: amount, Currency: "EUR"} }
	at := time.Date(2026, 3, 2, 12, 0, 0, 123456000, time.UTC)
	quote := &restaurantsapi.Quote{
		QuoteId: req.GetQuoteId(), ConsumerId: req.GetConsumerId(), RestaurantId: "0190a000-0000-7000-8000-000000000002", MenuVersion: 7,
		Subtotal: eur(4170), Tax: eur(417), DeliveryFee: eur(290), ServiceFee: eur(99), SmallOrderFee: eur(0), Tip: eur(300), Total: eur(5276),
		CancellationFee:    eur(500),
		RestaurantPosition: &kerfpb.Position{Latitude: 48.208174, Longitude: 16.373819}, Address: &kerfpb.Position{Latitude: 48.197634, Longitude: 16.371648},
		PreparationSeconds: 900,
		EtaEarliest:        timestamppb.New(at.Add(30 * time.Minute)), EtaLatest: timestamppb.New(at.Add(45 * time.Minute)),
		ExpiresAt: timestamppb.New(at.Add(10 * time.Minute)),
	}
	for i, name := range []string{"Tomato soup", "Margherita", "Lemonade"} {
		price := int64(590 + 400*i)
		quote.Lines = append(quote.Lines, &restaurantsapi.QuoteLine{
			ItemId: fmt.Sprintf("item-%d", i+1), Name: name, Quantity: int32(i + 1),
			UnitPrice: eur(price), Total: eur(price * int64(i+1)), Tax: eur(price * int64(i+1) / 10),
			Options: []*restaurantsapi.QuoteOption{{GroupId: "size", OptionId: "large", Name: "Large", PriceDelta: eur(150)}},
		})
	}
	return quote
}

// serveREST serves the quote as the public edge does: bearer token, deadline, request id, metrics, a line of log, JSON shaped by hand.
func serveREST(ctx context.Context, listener net.Listener, at serving, q quotes, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "kerf-edge-")
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	keys, err := identity.OpenKeys(dir, identity.KeysConfig{})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	token, err := identity.NewIssuer(keys, identity.TokenConfig{}).Issue(identity.TokenRequest{Roles: []identity.Role{identity.RoleConsumer}})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	at.Token = token.Token
	edge := web.New(web.Config{Verifier: identity.NewVerifier(keys, identity.TokenConfig{}), Log: accessLog(), Registry: prometheus.NewRegistry()})
	edge.Echo.GET("/v1/quotes/:id", q.get)
	server := edge.HTTP()
	stopped := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(closing) != nil {
			_ = server.Close()
		}
	})
	defer stopped()
	if err := tell(stdout, at); err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// get answers with a quote.
func (q quotes) get(c echo.Context) error {
	consumer, err := web.Require(c, identity.RoleConsumer)
	if err != nil {
		return err
	}
	id, err := ids.Parse("quote_id", c.Param("id"))
	if err != nil {
		return err
	}
	res, err := q.GetQuote(c.Request().Context(), &restaurantsapi.GetQuoteRequest{QuoteId: id, ConsumerId: consumer.Subject})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, viewOf(res.GetQuote()))
}
