package experiments

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kerf/benchmarks/lab"
)

const exposition = `# TYPE kerf_call_seconds histogram
kerf_call_seconds_bucket{module="kitchen",operation="CreateTicket",outcome="ok",placement="remote",le="+Inf"} 12
kerf_call_seconds_sum{module="kitchen",operation="CreateTicket",outcome="ok",placement="remote"} 0.1
kerf_call_seconds_count{module="kitchen",operation="CreateTicket",outcome="ok",placement="remote"} 12
kerf_call_seconds_bucket{module="consumers",operation="CheckMayOrder",outcome="ok",placement="local",le="+Inf"} 30
kerf_call_seconds_sum{module="consumers",operation="CheckMayOrder",outcome="ok",placement="local"} 0.1
kerf_call_seconds_count{module="consumers",operation="CheckMayOrder",outcome="ok",placement="local"} 30
# TYPE kerf_http_request_duration_seconds histogram
kerf_http_request_duration_seconds_bucket{method="GET",route="/v1/orders/:id",status="200",le="+Inf"} 7
kerf_http_request_duration_seconds_sum{method="GET",route="/v1/orders/:id",status="200"} 1
kerf_http_request_duration_seconds_count{method="GET",route="/v1/orders/:id",status="200"} 7
# TYPE kerf_outbox_published_total counter
kerf_outbox_published_total{module="orders"} 5
# TYPE kerf_inbox_messages_total counter
kerf_inbox_messages_total{module="tracking",outcome="handled",source="orders"} 4
kerf_inbox_messages_total{module="tracking",outcome="duplicate",source="orders"} 1
`

func TestTrafficIsWhatTheMetricsCount(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, exposition) }))
	defer server.Close()
	families, err := scrape(t.Context(), server.Client(), false, strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	var sum traffic
	sum.add(families, true)  // the gateway's requests came from outside
	sum.add(families, false) // those of another process crossed

	if want := (traffic{Calls: 60, Cut: 24, Passed: 7, Events: 10, Taken: 10}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}

	record := lab.Record{Values: map[string]float64{}}
	sum.fill(&record, 10)
	if record.Values[cutCalls.Name] != 3.1 || record.Values[cutEvents.Name] != 0 {
		t.Errorf("in memory: %v", record.Values)
	}
	sum.Broker = true
	if sum.fill(&record, 10); record.Values[cutEvents.Name] != 2 {
		t.Errorf("through a broker: %v", record.Values)
	}
}

func TestAProcessWithoutMetricsIsAnError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := scrape(t.Context(), server.Client(), false, strings.TrimPrefix(server.URL, "http://")); err == nil {
		t.Error("404 passed for metrics")
	}
}
