package orders_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/consumers/consumersapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders"
	"kerf/modules/orders/ordersapi"
	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
	"kerf/platform/web"
	"kerf/platform/work"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// others are the modules that orders asks. They say yes, unless a test sets what they say.
type others struct {
	mu         sync.Mutex
	quoteErr   error
	checkErr   error
	addressOff float64                     // degrees by which the consumer's address is off the quote's
	payments   func(context.Context) error // answers AuthorizePayment
	asked      []string
}

func (o *others) note(method string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, method)
}

const consumerID, restaurantID = "0199aaaa-0000-7000-8000-000000000001", "0199aaaa-0000-7000-8000-000000000002"

func eur(amount int64) *kerfpb.Money { return &kerfpb.Money{Amount: amount, Currency: "EUR"} }

func (o *others) GetQuote(_ context.Context, req *restaurantsapi.GetQuoteRequest) (*restaurantsapi.GetQuoteResponse, error) {
	o.note("GetQuote")
	if o.quoteErr != nil {
		return nil, o.quoteErr
	}
	return &restaurantsapi.GetQuoteResponse{Quote: &restaurantsapi.Quote{
		QuoteId: req.QuoteId, ConsumerId: req.ConsumerId, RestaurantId: restaurantID, MenuVersion: 1,
		Lines: []*restaurantsapi.QuoteLine{{
			ItemId: "soup", Name: "Soup", Quantity: 2, UnitPrice: eur(500), Total: eur(1000), Tax: eur(100),
			Options: []*restaurantsapi.QuoteOption{{GroupId: "heat", OptionId: "hot", Name: "Hot", PriceDelta: eur(0)}},
		}},
		Subtotal: eur(1000), Tax: eur(100), DeliveryFee: eur(300), ServiceFee: eur(50), SmallOrderFee: eur(40), Tip: eur(10),
		Total: eur(1500), CancellationFee: eur(200),
		RestaurantPosition: &kerfpb.Position{Latitude: 48.21, Longitude: 16.31}, Address: &kerfpb.Position{Latitude: 48.2, Longitude: 16.3},
		PreparationSeconds: 900, EtaEarliest: timestamppb.New(noon.Add(30 * time.Minute)), EtaLatest: timestamppb.New(noon.Add(45 * time.Minute)),
		ExpiresAt: timestamppb.New(noon.Add(time.Hour)),
	}}, nil
}

func (o *others) CheckMayOrder(_ context.Context, req *consumersapi.CheckMayOrderRequest) (*consumersapi.CheckMayOrderResponse, error) {
	o.note("CheckMayOrder " + fmt.Sprint(req.GetTotal().GetAmount()))
	if o.checkErr != nil {
		return nil, o.checkErr
	}
	return &consumersapi.CheckMayOrderResponse{
		Address: &kerfpb.Position{Latitude: 48.2 + o.addressOff, Longitude: 16.3}, PaymentToken: "tok_approve",
	}, nil
}

type kitchen struct {
	kitchenapi.KitchenService
	*others
}

func (k kitchen) CreateTicket(context.Context, *kitchenapi.CreateTicketRequest) (*kitchenapi.CreateTicketResponse, error) {
	return &kitchenapi.CreateTicketResponse{}, nil
}

func (k kitchen) ConfirmTicket(context.Context, *kitchenapi.ConfirmTicketRequest) (*kitchenapi.ConfirmTicketResponse, error) {
	return &kitchenapi.ConfirmTicketResponse{}, nil
}

func (k kitchen) BeginCancel(context.Context, *kitchenapi.BeginCancelRequest) (*kitchenapi.BeginCancelResponse, error) {
	return &kitchenapi.BeginCancelResponse{}, nil
}

func (k kitchen) ConfirmCancel(context.Context, *kitchenapi.ConfirmCancelRequest) (*kitchenapi.ConfirmCancelResponse, error) {
	return &kitchenapi.ConfirmCancelResponse{}, nil
}

type accounting struct {
	accountingapi.AccountingService
	*others
}

func (a accounting) AuthorizePayment(ctx context.Context, _ *accountingapi.AuthorizePaymentRequest) (*accountingapi.AuthorizePaymentResponse, error) {
	if a.payments != nil {
		if err := a.payments(ctx); err != nil {
			return nil, err
		}
	}
	return &accountingapi.AuthorizePaymentResponse{}, nil
}

func (a accounting) VoidPayment(context.Context, *accountingapi.VoidPaymentRequest) (*accountingapi.VoidPaymentResponse, error) {
	return &accountingapi.VoidPaymentResponse{}, nil
}

type delivery struct{ deliveryapi.DeliveryService }

// service is the module behind a real HTTP server.
type service struct {
	t      testing.TB
	module *orders.Module
	others *others
	db     *database.DB
	clock  *clock.Manual
	url    string
}

func serve(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, others: &others{}, db: databasetest.Open(t, "orders"), clock: clock.NewManual(noon)}
	log := slog.New(slog.DiscardHandler)
	queue := work.New(s.db, s.clock.Clock, work.Config{}, log, nil)
	s.module = orders.New(s.db, outbox.New(s.db, "orders", s.clock), queue, s.clock, s.others, s.others,
		kitchen{others: s.others}, accounting{others: s.others}, delivery{}, log)
	server := web.New(web.Config{Verifier: tokens{}})
	s.module.Routes(server.Echo)
	http := httptest.NewServer(server)
	t.Cleanup(http.Close)
	s.url = http.URL
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- queue.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

// tokens takes a token for the encoded principal.
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (identity.Principal, error) {
	return identity.Decode(token)
}

var (
	diner    = identity.Principal{Subject: consumerID, Roles: []identity.Role{identity.RoleConsumer}}
	stranger = identity.Principal{Subject: "0199aaaa-0000-7000-8000-00000000000f", Roles: []identity.Role{identity.RoleConsumer}}
	cook     = identity.Principal{Subject: "cook", Roles: []identity.Role{identity.RoleRestaurant}, OwnedIDs: []string{restaurantID}}
	support  = identity.Principal{Subject: "support", Roles: []identity.Role{identity.RoleSupport}}
)

type answer struct {
	status  int
	header  http.Header
	text    string
	problem web.Problem
	order   orderDocument
}

type orderDocument struct {
	ordersapi.Document
	Links web.Links `json:"_links"`
}

type request struct {
	method, path string
	as           *identity.Principal
	key          string
	ifMatch      string
	body         string
}

func (s *service) do(r request) answer {
	s.t.Helper()
	req, err := http.NewRequest(r.method, s.url+r.path, strings.NewReader(r.body))
	if err != nil {
		s.t.Fatal(err)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.as != nil {
		req.Header.Set("Authorization", "Bearer "+identity.Encode(*r.as))
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(body)}
	if res.StatusCode >= 400 {
		_ = json.Unmarshal(body, &a.problem)
		return a
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	_ = decoder.Decode(&a.order)
	return a
}

func placeBody() string {
	return fmt.Sprintf(`{"quote_id":%q,"address_id":%q,"payment_method_id":%q,"notes":"no onions"}`, ids.New(), ids.New(), ids.New())
}

func (s *service) post(as identity.Principal, path, body string) answer {
	s.t.Helper()
	return s.do(request{method: "POST", path: path, as: &as, key: ids.New(), body: body})
}

func (s *service) get(as identity.Principal, path string) answer {
	s.t.Helper()
	return s.do(request{method: "GET", path: path, as: &as})
}

// part is the order as gateway gets it.
func (s *service) part(as identity.Principal, id string) (*ordersapi.Order, error) {
	res, err := s.module.GetOrder(identity.With(context.Background(), as), &ordersapi.GetOrderRequest{OrderId: id})
	return res.GetOrder(), err
}

// await waits until the order shows a state.
func (s *service) await(id string, state ordersapi.OrderState) *ordersapi.Order {
	s.t.Helper()
	var o *ordersapi.Order
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Microsecond) {
		var err error
		if o, err = s.part(support, id); err != nil {
			s.t.Fatal(err)
		}
		if o.GetState() == state {
			return o
		}
	}
	s.t.Fatalf("order %s is %s, not %s", id, o.GetState(), state)
	return nil
}

type page struct {
	Items []orderDocument `json:"items"`
	Links web.Links       `json:"_links"`
}

func (s *service) list(as identity.Principal, path string) page {
	s.t.Helper()
	a := s.get(as, path)
	var p page
	if err := json.Unmarshal([]byte(a.text), &p); err != nil || a.status != 200 {
		s.t.Fatalf("GET %s: %d %s", path, a.status, a.text)
	}
	return p
}
