package rpc_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
	"kerf/platform/platformpb"
	"kerf/platform/rpc"
)

// post does what curl does.
func post(t *testing.T, url, contentType, body string) (status int, answer string) {
	t.Helper()
	res, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(read)
}

func TestAnOperationCanBeCalledByHand(t *testing.T) {
	p := newProcess(t, &kitchen{}, func(p *process) { p.http = http.HandlerFunc(greeting) })
	at := "http://" + p.address
	for _, row := range []struct {
		name, url, contentType, body string
		status                       int
		answer                       string
	}{
		{"JSON", at + auditPath, "application/json", `{}`, 200, `"module":`},
		{"JSON with a charset", at + auditPath, "application/json; charset=utf-8", `{}`, 200, `"module":`},
		{"a field that is not known", at + auditPath, "application/json", `{"hungry": true}`, 200, `"module":`},
		{"malformed JSON", at + auditPath, "application/json", `{"module":`, 400, `"code":"invalid_argument"`},
		{"a value of another type", at + readLogPath, "application/json", `{"limit": "many"}`, 400, `"kind":"KIND_INVALID"`},
		{"malformed protobuf", at + readLogPath, "application/proto", "\xff\xff", 400, `"kind":"KIND_INVALID"`},
		{"an operation that there is not", at + "/kerf.platform.v1.PlatformService/Cook", "application/json", `{}`, 404, ""},
		{"a contract that is not here", at + "/kerf.orders.v1.OrdersService/GetOrder", "application/json", `{}`, 200, "HTTP/1.1 POST"},
		{"a content type that there is not", at + auditPath, "text/plain", `{}`, 415, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, answer := post(t, row.url, row.contentType, row.body)
			if status != row.status || !strings.Contains(strings.ReplaceAll(answer, " ", ""), strings.ReplaceAll(row.answer, " ", "")) {
				t.Errorf("answered %d %s", status, answer)
			}
		})
	}
	if status, answer := post(t, at+"/livez", "text/plain", "body"); status != 200 || answer != "HTTP/1.1 POST /livez body" {
		t.Errorf("what is no operation answered %d %s", status, answer)
	}
}

const readLogPath = "/kerf.platform.v1.PlatformService/ReadLog"

func TestAMessageThatIsTooLargeIsRefused(t *testing.T) {
	k := &kitchen{}
	p := newProcess(t, k)
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Protocol: protocol, Policy: rpc.Policy{Attempts: 3}})
		before := k.calls.Load()
		large := &platformpb.ReplayParkedRequest{Id: strings.Repeat("x", 17<<20), OperationKey: "key"}
		err := c.Call(t.Context(), replay, large, &platformpb.ReplayParkedResponse{})
		coded(t, err, fault.KindExhausted, "message_too_large")
		if fault.Definite(err) {
			t.Error("it is definite")
		}
		if c.State().Replicas[0].Ejected || k.calls.Load() != before {
			t.Errorf("the state is %v; the owner has seen %d calls", c.State(), k.calls.Load()-before)
		}
		if _, err := ask(t.Context(), c); err != nil {
			t.Errorf("a call afterwards ended with %v", err)
		}
	})
}

func TestAServerBoundsWhatAForeignClientSends(t *testing.T) {
	p := newProcess(t, &kitchen{})
	body, err := proto.Marshal(&platformpb.ReplayParkedRequest{Id: strings.Repeat("x", 17<<20)})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := post(t, "http://"+p.address+replay.Path, "application/proto", string(body)); status != 429 || !strings.Contains(answer, "resource_exhausted") {
		t.Errorf("answered %d %s", status, answer)
	}
}

// A server that is not Kerf's, or only half of it, must not be taken for the owner.
func TestAnAnswerOfAnotherServerIsNotTheOwners(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"not found":   http.NotFound,
		"a page":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"a redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a gateway's": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"forbidden":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"garbled": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/proto")
			_, _ = io.WriteString(w, "\xff")
		},
		"invalid, bare": func(w http.ResponseWriter, _ *http.Request) {
			connectSays(w, 400, `{"code":"invalid_argument","message":"no"}`)
		},
		"not_found bare": func(w http.ResponseWriter, _ *http.Request) { connectSays(w, 404, `{"code":"not_found"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			lis, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: answer}
			go func() { _ = server.Serve(lis) }()
			defer server.Close()
			c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{lis.Addr().String()}, Protocol: rpc.Connect})
			if _, err := ask(t.Context(), c); err == nil || fault.Definite(err) {
				t.Errorf("the call ended with %v", err)
			}
		})
	}
}

func connectSays(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
