package internal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/clock"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/kerfpb"
	"kerf/platform/platformpb"
	"kerf/platform/web"
)

const orderID = "01990000-0000-7000-8000-000000000001"

// owners answers for the four modules whatever a test has them answer.
type owners struct {
	order    func(context.Context) (*ordersapi.Order, error)
	ticket   func(context.Context) (*kitchenapi.Ticket, error)
	delivery func(context.Context) (*deliveryapi.Delivery, error)
	payment  func(context.Context) (*accountingapi.Payment, error)
}

func (o owners) GetOrder(ctx context.Context, _ *ordersapi.GetOrderRequest) (*ordersapi.GetOrderResponse, error) {
	order, err := o.order(ctx)
	return &ordersapi.GetOrderResponse{Order: order}, err
}

func (o owners) GetTicket(ctx context.Context, _ *kitchenapi.GetTicketRequest) (*kitchenapi.GetTicketResponse, error) {
	ticket, err := o.ticket(ctx)
	return &kitchenapi.GetTicketResponse{Ticket: ticket}, err
}

func (o owners) GetDelivery(ctx context.Context, _ *deliveryapi.GetDeliveryRequest) (*deliveryapi.GetDeliveryResponse, error) {
	delivery, err := o.delivery(ctx)
	return &deliveryapi.GetDeliveryResponse{Delivery: delivery}, err
}

func (o owners) GetPayment(ctx context.Context, _ *accountingapi.GetPaymentRequest) (*accountingapi.GetPaymentResponse, error) {
	payment, err := o.payment(ctx)
	return &accountingapi.GetPaymentResponse{Payment: payment}, err
}

// whole is an order of which every module has its part.
func whole() owners {
	return owners{
		order: func(context.Context) (*ordersapi.Order, error) {
			price := &kerfpb.Money{Amount: 1250, Currency: "EUR"}
			return &ordersapi.Order{OrderId: orderID, Version: 3, State: ordersapi.OrderState_ORDER_STATE_APPROVED,
				RestaurantId: "r", Actions: []string{"cancellation"}, Subtotal: price, Tax: price, DeliveryFee: price, ServiceFee: price,
				SmallOrderFee: price, Tip: price, Total: price, CancellationFee: price}, nil
		},
		ticket: func(context.Context) (*kitchenapi.Ticket, error) {
			return &kitchenapi.Ticket{OrderId: orderID, State: kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE}, nil
		},
		delivery: func(context.Context) (*deliveryapi.Delivery, error) {
			return nil, fault.NotFound("delivery")
		},
		payment: func(context.Context) (*accountingapi.Payment, error) {
			return &accountingapi.Payment{OrderId: orderID, State: accountingapi.PaymentState_PAYMENT_STATE_AUTHORIZED,
				Authorized: &kerfpb.Money{Amount: 1250, Currency: "EUR"}, Captured: &kerfpb.Money{Currency: "EUR"},
				Refunded: &kerfpb.Money{Currency: "EUR"}}, nil
		},
	}
}

// edge serves a gateway over owners, and returns a GET as somebody with the given role.
func edge(t *testing.T, o owners, platforms map[string]platformpb.PlatformService) func(path string, role identity.Role, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	keys, err := identity.OpenKeys(t.TempDir(), identity.KeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	issuer := identity.NewIssuer(keys, identity.TokenConfig{})
	server := web.New(web.Config{Verifier: identity.NewVerifier(keys, identity.TokenConfig{})})
	New(Config{
		Orders: o, Kitchen: o, Delivery: o, Accounting: o, Platforms: platforms, Keys: keys, Issuer: issuer,
		Clock: clock.NewManual(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)).Clock, Version: "test", PartTimeout: 50 * time.Millisecond,
	}).Routes(server.Echo)
	return func(path string, role identity.Role, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if role != "" {
			token, err := issuer.Issue(identity.TokenRequest{Roles: []identity.Role{role}})
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token.Token)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		return w
	}
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

func TestAnOrdersPageHasThePartsOfFourModules(t *testing.T) {
	get := edge(t, whole(), nil)
	w := get("/v1/orders/"+orderID, identity.RoleConsumer)
	page := decode[composedOrder](t, w)
	if w.Code != 200 || page.Order.State != "APPROVED" || page.Ticket == nil || page.Ticket.State != "AWAITING_ACCEPTANCE" ||
		page.Payment == nil || page.Payment.Authorized.Amount != 1250 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if page.Delivery != nil || len(page.Missing) != 0 {
		t.Errorf("a delivery that does not exist yet is null, and not missing: %s", w.Body)
	}
	if link := page.Order.Links["cancellation"]; link.Method != "POST" || link.Href != "/v1/orders/"+orderID+"/cancellation" {
		t.Errorf("what the owner lets this caller do is linked: %+v", page.Order.Links)
	}

	tag := w.Header().Get("ETag")
	if !strings.HasPrefix(tag, "W/") {
		t.Errorf("a composed page has a weak tag, not %q", tag)
	}
	if again := get("/v1/orders/"+orderID, identity.RoleConsumer, "If-None-Match", tag); again.Code != 304 {
		t.Errorf("the same page again: %d", again.Code)
	}
}

func TestAPageGoesWithoutThePartsOfModulesThatDoNotAnswer(t *testing.T) {
	o := whole()
	o.ticket = func(context.Context) (*kitchenapi.Ticket, error) {
		return nil, fault.Unavailable(time.Second, "database_unavailable", "down")
	}
	o.payment = func(ctx context.Context) (*accountingapi.Payment, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	w := edge(t, o, nil)("/v1/orders/"+orderID, identity.RoleConsumer)
	page := decode[composedOrder](t, w)
	if w.Code != 200 || page.Order.State != "APPROVED" || strings.Join(page.Missing, " ") != "ticket payment" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAPartThatIsForOthersIsNotShownAndOneThatCannotBeHadIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		missing string
	}{
		"not for this caller":             {fault.Forbidden("forbidden", "this is for others"), ""},
		"not there":                       {fault.NotFound("ticket"), ""},
		"not for the gateway":             {fault.Forbidden("caller_not_allowed", "gateway may not call"), "ticket"},
		"no certificate":                  {fault.New(fault.KindUnauthenticated, "certificate_required", "no"), "ticket"},
		"not reachable":                   {fault.Unavailable(time.Second, "unreachable", "gone"), "ticket"},
		"too many calls under way":        {fault.Unavailable(time.Second, "bulkhead_full", "busy"), "ticket"},
		"answered by something unknown":   {fault.New(fault.KindUnknown, "unknown", "404 page not found"), "ticket"},
		"an answer that cannot be passed": {fault.New(fault.KindExhausted, "message_too_large", "large"), "ticket"},
	} {
		o := whole()
		o.ticket = func(context.Context) (*kitchenapi.Ticket, error) { return nil, c.err }
		w := edge(t, o, nil)("/v1/orders/"+orderID, identity.RoleConsumer)
		page := decode[composedOrder](t, w)
		if w.Code != 200 || page.Ticket != nil || strings.Join(page.Missing, " ") != c.missing {
			t.Errorf("%s: %d, missing %v", name, w.Code, page.Missing)
		}
	}
}

func TestWhoMayNotSeeAnOrderDoesNotWaitForItsParts(t *testing.T) {
	o := whole()
	o.order = func(context.Context) (*ordersapi.Order, error) { return nil, fault.NotFound("order") }
	stopped := make(chan error, 1)
	o.ticket = func(ctx context.Context) (*kitchenapi.Ticket, error) {
		<-ctx.Done()
		stopped <- ctx.Err()
		return nil, ctx.Err()
	}
	if w := edge(t, o, nil)("/v1/orders/"+orderID, identity.RoleConsumer); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("the ticket was waited for until %v", err)
	}
}

func TestTheOrdersOwnerDecidesAboutThePage(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{fault.NotFound("order"), 404},
		{fault.Unavailable(time.Second, "database_unavailable", "down"), 503},
		{context.DeadlineExceeded, 504},
	} {
		o := whole()
		o.order = func(context.Context) (*ordersapi.Order, error) { return nil, c.err }
		if w := edge(t, o, nil)("/v1/orders/"+orderID, identity.RoleConsumer); w.Code != c.status {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
	}
}

func TestAPageNeedsACallerAndAnID(t *testing.T) {
	get := edge(t, whole(), nil)
	if w := get("/v1/orders/"+orderID, ""); w.Code != 401 {
		t.Errorf("anonymous: %d", w.Code)
	}
	if w := get("/v1/orders/none", identity.RoleConsumer); w.Code != 404 {
		t.Errorf("no id: %d", w.Code)
	}
}
