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
	"kerf/platform/fault"
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

func TestAnOrderIsPlacedAtTheQuotesPriceAndApproved(t *testing.T) {
	s := serve(t)
	a := s.post(diner, "/v1/orders", placeBody())
	if a.status != http.StatusCreated || a.header.Get("Location") != "/v1/orders/"+a.order.ID || a.header.Get("ETag") != web.ETag(1) {
		t.Fatalf("%d %v: %s", a.status, a.header, a.text)
	}
	o := a.order
	if o.State != "PENDING" || o.Total.Amount != 1500 || o.Charge != nil || o.Notes != "no onions" || !o.PlacedAt.Equal(noon) {
		t.Errorf("placed %s", a.text)
	}
	if len(o.Lines) != 1 || o.Lines[0].Options[0] != "Hot" || o.Lines[0].Total.Amount != 1000 {
		t.Errorf("lines %+v", o.Lines)
	}
	if len(o.DeliveryPIN) != 4 || o.Links["self"].Href == "" || o.Links["cancellation"].Method != "POST" {
		t.Errorf("pin %q, links %v", o.DeliveryPIN, o.Links)
	}
	s.await(o.ID, ordersapi.OrderState_ORDER_STATE_APPROVED)
	if got := strings.Join(s.others.asked, ", "); got != "GetQuote, CheckMayOrder 1500" {
		t.Errorf("asked %s", got)
	}
}

func TestTheSameKeyPlacesOneOrder(t *testing.T) {
	s := serve(t)
	r := request{method: "POST", path: "/v1/orders", as: &diner, key: "once", body: placeBody()}
	first := s.do(r)
	again := s.do(r)
	if again.status != http.StatusCreated || again.order.ID != first.order.ID || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again %d: %s", again.status, again.text)
	}
	r.body = placeBody()
	if other := s.do(r); other.status != http.StatusUnprocessableEntity {
		t.Errorf("another body: %d", other.status)
	}
}

func TestAQuoteIsOrderedOnceHoweverManyAskAtOnce(t *testing.T) {
	s := serve(t)
	body := placeBody()
	answers := make([]answer, 16)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.post(diner, "/v1/orders", body) })
	}
	all.Wait()
	placed := 0
	for _, a := range answers {
		switch {
		case a.status == http.StatusCreated:
			placed++
		case a.status != http.StatusUnprocessableEntity || a.problem.Code != "quote_used":
			t.Errorf("%d: %s", a.status, a.text)
		}
	}
	if placed != 1 {
		t.Errorf("placed %d times", placed)
	}
}

func TestWhatMayNotBeOrderedIsRefused(t *testing.T) {
	down := context.DeadlineExceeded
	for _, row := range []struct {
		name   string
		set    func(*others)
		as     *identity.Principal
		key    string
		body   string
		status int
		code   string
		field  string
	}{
		{name: "expired quote", set: func(o *others) { o.quoteErr = fault.Refused("quote_expired", "expired") }, status: 422, code: "quote_expired"},
		{name: "unknown quote", set: func(o *others) { o.quoteErr = fault.NotFound("quote") }, status: 404, code: "not_found", field: "quote_id"},
		{name: "restaurants down", set: func(o *others) { o.quoteErr = down }, status: 503, code: "restaurants_unavailable"},
		{name: "consumers down", set: func(o *others) { o.checkErr = down }, status: 503, code: "consumers_unavailable"},
		{name: "suspended", set: func(o *others) { o.checkErr = fault.Refused("consumer_suspended", "suspended") }, status: 422, code: "consumer_suspended"},
		{name: "unknown address", set: func(o *others) { o.checkErr = fault.NotFound("address") }, status: 404, code: "not_found"},
		{name: "address elsewhere", set: func(o *others) { o.addressOff = 0.001 }, status: 422, code: "address_mismatch"}, // 111 m
		{name: "anonymous", as: &identity.Principal{}, status: 401, code: "unauthenticated"},
		{name: "a cook", as: &cook, status: 403, code: "role"},
		{name: "no key", key: "-", status: 400, code: "idempotency_key"},
		{name: "no quote", body: `{"address_id":"` + ids.New() + `","payment_method_id":"` + ids.New() + `"}`, status: 400, code: "invalid", field: "quote_id"},
		{name: "not an id", body: strings.Replace(placeBody(), `"address_id":"`, `"address_id":"x`, 1), status: 400, code: "invalid", field: "address_id"},
		{name: "unknown field", body: strings.Replace(placeBody(), `"notes"`, `"price"`, 1), status: 400, code: "invalid", field: "price"},
		{name: "long notes", body: strings.Replace(placeBody(), "no onions", strings.Repeat("x", 501), 1), status: 400, code: "invalid", field: "notes"},
		{name: "not JSON", body: "soup", status: 400, code: "invalid"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t)
			if row.set != nil {
				row.set(s.others)
			}
			r := request{method: "POST", path: "/v1/orders", as: &diner, key: ids.New(), body: placeBody()}
			if row.as != nil {
				r.as = row.as
			}
			if r.as.Subject == "" {
				r.as = nil
			}
			if row.key == "-" {
				r.key = ""
			}
			if row.body != "" {
				r.body = row.body
			}
			a := s.do(r)
			if a.status != row.status || row.code != "role" && a.problem.Code != row.code {
				t.Errorf("%d %s", a.status, a.text)
			}
			if row.field != "" && (len(a.problem.Violations) == 0 || a.problem.Violations[0].Field != row.field) {
				t.Errorf("names %v, want %s", a.problem.Violations, row.field)
			}
			var count int
			if err := s.db.QueryRow(context.Background(), `SELECT count(*) FROM orders`).Scan(&count); err != nil || count != 0 {
				t.Errorf("%d orders were recorded: %v", count, err)
			}
		})
	}
}

func TestAnAddressNearTheQuotesIsTheSame(t *testing.T) {
	s := serve(t)
	s.others.addressOff = 0.0008 // 89 m
	if a := s.post(diner, "/v1/orders", placeBody()); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestACancelIsForTheOrdersOwnPeople(t *testing.T) {
	for _, row := range []struct {
		name   string
		as     identity.Principal
		status int
		reason string
	}{
		{"its consumer", diner, 200, "cancelled_by_consumer"},
		{"its restaurant", cook, 200, "cancelled_by_restaurant"},
		{"support", support, 200, "cancelled_by_support"},
		{"another consumer", stranger, 404, ""},
		{"another restaurant", identity.Principal{Subject: "x", Roles: []identity.Role{identity.RoleRestaurant}, OwnedIDs: []string{ids.New()}}, 404, ""},
		{"a courier", identity.Principal{Subject: "x", Roles: []identity.Role{identity.RoleCourier}}, 403, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t)
			id := s.post(diner, "/v1/orders", placeBody()).order.ID
			s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
			a := s.post(row.as, "/v1/orders/"+id+"/cancellation", `{"reason":"changed my mind"}`)
			if a.status != row.status {
				t.Fatalf("%d %s", a.status, a.text)
			}
			if row.status != 200 {
				return
			}
			if a.order.State != "CANCEL_PENDING" || a.order.Links["cancellation"].Href != "" {
				t.Errorf("shows %s with links %v", a.order.State, a.order.Links)
			}
			if o := s.await(id, ordersapi.OrderState_ORDER_STATE_CANCELLED); o.GetReason() != row.reason || o.GetCharge().GetAmount() != 0 {
				t.Errorf("ended %v", o)
			}
			again := s.post(row.as, "/v1/orders/"+id+"/cancellation", `{}`)
			if again.status != 422 || again.problem.Code != "order_ended" {
				t.Errorf("again: %d %s", again.status, again.text)
			}
		})
	}
}

func TestACancelStatesTheVersionThatItSaw(t *testing.T) {
	s := serve(t)
	id := s.post(diner, "/v1/orders", placeBody()).order.ID
	o := s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
	path := "/v1/orders/" + id + "/cancellation"
	stale := s.do(request{method: "POST", path: path, as: &diner, key: "a", ifMatch: web.ETag(o.GetVersion() - 1), body: `{}`})
	if stale.status != http.StatusPreconditionFailed {
		t.Errorf("stale: %d %s", stale.status, stale.text)
	}
	if fresh := s.do(request{method: "POST", path: path, as: &diner, key: "b", ifMatch: web.ETag(o.GetVersion()), body: `{}`}); fresh.status != 200 {
		t.Errorf("fresh: %d %s", fresh.status, fresh.text)
	}
	long := s.post(diner, path, `{"reason":"`+strings.Repeat("x", 201)+`"}`)
	if long.status != 400 || long.problem.Violations[0].Field != "reason" {
		t.Errorf("long reason: %d %s", long.status, long.text)
	}
}

func TestACancelInPendingIsRemembered(t *testing.T) {
	s := serve(t)
	hold := make(chan struct{})
	s.others.payments = func(context.Context) error { <-hold; return nil }
	id := s.post(diner, "/v1/orders", placeBody()).order.ID
	a := s.post(diner, "/v1/orders/"+id+"/cancellation", `{}`)
	if a.status != 200 || a.order.State != "PENDING" || !a.order.CancelRequested {
		t.Errorf("%d %s", a.status, a.text)
	}
	close(hold)
	s.await(id, ordersapi.OrderState_ORDER_STATE_CANCELLED)
}

func TestAnOrderIsSeenByItsOwnPeopleAndThePinByFewer(t *testing.T) {
	s := serve(t)
	id := s.post(diner, "/v1/orders", placeBody()).order.ID
	s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
	for _, row := range []struct {
		name      string
		as        identity.Principal
		sees, pin bool
	}{
		{"its consumer", diner, true, true},
		{"support", support, true, true},
		{"its restaurant", cook, true, false},
		{"a module", identity.Service("tracking"), true, false},
		{"another consumer", stranger, false, false},
		{"its consumer's id in another role", identity.Principal{Subject: consumerID, Roles: []identity.Role{identity.RoleCourier}}, false, false},
		{"nobody", identity.Principal{}, false, false},
	} {
		o, err := s.part(row.as, id)
		if (err == nil) != row.sees || !row.sees && fault.KindOf(err) != fault.KindNotFound || (o.GetDeliveryPin() != "") != row.pin {
			t.Errorf("%s: %v, %v", row.name, o, err)
		}
	}
	if _, err := s.part(support, ids.New()); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("unknown order: %v", err)
	}
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

func TestListsAreNewestFirstAPageAtATime(t *testing.T) {
	s := serve(t)
	var want []string
	for i := range 5 {
		id := s.post(diner, "/v1/orders", placeBody()).order.ID
		s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
		want = append([]string{id}, want...)
		if i%2 == 1 { // some at one instant
			s.clock.Advance(time.Minute)
		}
	}
	s.post(stranger, "/v1/orders", placeBody())
	var got []string
	for next := "/v1/orders?limit=2"; next != ""; {
		p := s.list(diner, next)
		for _, o := range p.Items {
			got = append(got, o.ID)
		}
		next = p.Links["next"].Href
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("listed %v, want %v", got, want)
	}
	s.post(diner, "/v1/orders/"+want[0]+"/cancellation", `{}`)
	s.await(want[0], ordersapi.OrderState_ORDER_STATE_CANCELLED)
	for path, n := range map[string]int{
		"?state=CANCELLED":                          1,
		"?state=REJECTED":                           0,
		"?placed_after=2026-05-01T12:01:00Z":        3,
		"?placed_before=2026-05-01T12:01:00Z":       2,
		"?consumer_id=" + consumerID + "&limit=100": 5,
	} {
		if p := s.list(diner, "/v1/orders"+path); len(p.Items) != n {
			t.Errorf("%s lists %d, want %d", path, len(p.Items), n)
		}
	}
	if p := s.list(cook, "/v1/orders?restaurant_id="+restaurantID); len(p.Items) != 6 || p.Items[0].DeliveryPIN != "" {
		t.Errorf("the restaurant sees %d", len(p.Items))
	}
	if p := s.list(support, "/v1/orders"); len(p.Items) != 6 {
		t.Errorf("support sees %d", len(p.Items))
	}
}

func TestAListOfOthersOrdersIsNotGiven(t *testing.T) {
	s := serve(t)
	for _, row := range []struct {
		as     *identity.Principal
		query  string
		status int
	}{
		{&stranger, "?consumer_id=" + consumerID, 404},
		{&cook, "?restaurant_id=" + ids.New(), 404},
		{&cook, "", 400},
		{&cook, "?consumer_id=" + consumerID, 400},
		{nil, "", 401},
		{&identity.Principal{Subject: "x", Roles: []identity.Role{identity.RoleCourier}}, "", 403},
		{&diner, "?state=LOST", 400},
		{&diner, "?placed_after=yesterday", 400},
		{&diner, "?limit=0", 400},
		{&diner, "?cursor=xyz", 400},
	} {
		if a := s.do(request{method: "GET", path: "/v1/orders" + row.query, as: row.as}); a.status != row.status {
			t.Errorf("%s: %d, want %d: %s", row.query, a.status, row.status, a.text)
		}
	}
}

func TestManyOrdersAtOnceAreAllApproved(t *testing.T) {
	s := serve(t)
	const diners, each = 16, 8
	placed := make([][]string, diners)
	var all sync.WaitGroup
	for i := range diners {
		all.Go(func() {
			for range each {
				placed[i] = append(placed[i], s.post(diner, "/v1/orders", placeBody()).order.ID)
			}
		})
	}
	all.Wait()
	for _, list := range placed {
		for _, id := range list {
			s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
		}
	}
	counters, err := s.module.Audit(context.Background())
	if err != nil || counters["orders_approved"] != diners*each || counters["sagas_open"] != 0 {
		t.Errorf("counters %v, %v", counters, err)
	}
}
