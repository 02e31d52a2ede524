package internal

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/platformpb"
)

// desk is a module's operations for operators, of which a test uses two.
type desk struct {
	platformpb.PlatformService
	parked []*platformpb.ParkedMessage
}

func (d desk) Audit(context.Context, *platformpb.AuditRequest) (*platformpb.AuditResponse, error) {
	return &platformpb.AuditResponse{Module: "orders", Written: 7, Published: 7, Settled: 6, Consumed: map[string]int64{"kitchen": 3}}, nil
}

func (d desk) ListParked(_ context.Context, req *platformpb.ListParkedRequest) (*platformpb.ListParkedResponse, error) {
	var found []*platformpb.ParkedMessage
	for _, m := range d.parked {
		if m.GetId() > req.GetAfter() && len(found) < int(req.GetLimit()) {
			found = append(found, m)
		}
	}
	return &platformpb.ListParkedResponse{Messages: found}, nil
}

func TestOperatorsReadAuditsAndOthersDoNot(t *testing.T) {
	get := edge(t, whole(), map[string]platformpb.PlatformService{"orders": desk{}})
	w := get("/v1/audit/orders", identity.RoleAdmin)
	if a := decode[audit](t, w); w.Code != 200 || a.Written != 7 || a.Settled != 6 || a.Consumed["kitchen"] != 3 || a.Counters == nil {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get("/v1/audit/orders", identity.RoleSupport); w.Code != 403 {
		t.Errorf("support: %d", w.Code)
	}
	if w := get("/v1/audit/nothing", identity.RoleAdmin); w.Code != 404 {
		t.Errorf("unknown module: %d", w.Code)
	}
	if w := get("/v1/audit", identity.RoleAdmin); w.Code != 200 || !strings.Contains(w.Body.String(), "/v1/audit/orders") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheListOfAuditsNamesModulesThatDoNotAnswer(t *testing.T) {
	get := edge(t, whole(), map[string]platformpb.PlatformService{
		"orders":   desk{},
		"kitchen":  silent{err: fault.Unavailable(time.Second, "unreachable", "the module cannot be reached")},
		"delivery": silent{},
	})
	w := get("/v1/audit", identity.RoleAdmin)
	list := decode[auditList](t, w)
	want := []unavailable{{"delivery", "deadline", "the deadline passed"}, {"kitchen", "unreachable", "the module cannot be reached"}}
	if diff := cmp.Diff(want, list.Unavailable); w.Code != 200 || diff != "" {
		t.Errorf("%d %s", w.Code, diff)
	}
	if diff := cmp.Diff([]string{"delivery", "kitchen", "orders"}, list.Modules); diff != "" {
		t.Error(diff)
	}
	if w := get("/v1/audit/kitchen", identity.RoleAdmin); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the audit of one that does not answer: %d %s", w.Code, w.Body)
	}
}

// silent is a module that does not answer, and says so or not.
type silent struct {
	platformpb.PlatformService
	err error
}

func (s silent) ListParked(ctx context.Context, _ *platformpb.ListParkedRequest) (*platformpb.ListParkedResponse, error) {
	if s.err == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, s.err
}

func (s silent) Audit(context.Context, *platformpb.AuditRequest) (*platformpb.AuditResponse, error) {
	return nil, s.err
}

func TestParkedMessagesComeInPagesAndOnlyHeadsCanBeActedOn(t *testing.T) {
	get := edge(t, whole(), map[string]platformpb.PlatformService{"orders": desk{parked: []*platformpb.ParkedMessage{
		{Id: "1", Head: true, Cause: "boom"}, {Id: "2"}, {Id: "3", Head: true},
	}}})
	type page struct {
		Items []parkedMessage
		Links map[string]struct{ Href string } `json:"_links"`
	}
	first := decode[page](t, get("/v1/parked/orders?limit=2", identity.RoleAdmin))
	if len(first.Items) != 2 || first.Items[0].Links["replay"].Href != "/v1/parked/orders/1/replay" || len(first.Items[1].Links) != 0 {
		t.Fatalf("%+v", first)
	}
	second := decode[page](t, get(first.Links["next"].Href, identity.RoleAdmin))
	if len(second.Items) != 1 || second.Items[0].ID != "3" {
		t.Errorf("%+v", second)
	}
}

func TestTheDescriptionHoldsEveryModulesOperations(t *testing.T) {
	w := edge(t, whole(), nil)("/v1/openapi.json", "")
	for _, operation := range []string{"placeOrder", "getOrder", "issueToken", "quote", "acceptTicket", "getPayment"} {
		if !strings.Contains(w.Body.String(), `"operationId":"`+operation+`"`) {
			t.Errorf("%s is not described", operation)
		}
	}
}

func TestConflictingDescriptionsAreRefused(t *testing.T) {
	if _, err := merge([]byte("paths: {/a: {get: {operationId: one}}}"), []byte("paths: {/a: {get: {operationId: two}}}")); err == nil {
		t.Error("the same operation twice was accepted")
	}
}

func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	get := edge(t, whole(), nil)
	for _, path := range []string{"/", "/live", "/assets/live.js", "/assets/kerf.css", "/docs/"} {
		w := get(path, "")
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if body := w.Body.String(); strings.Contains(body, "src=\"http") || strings.Contains(body, "href=\"http") {
			t.Errorf("%s loads from elsewhere: %s", path, body)
		}
	}
}
