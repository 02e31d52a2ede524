package experiments

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"kerf/benchmarks/lab"
	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/status"
)

// traffic is what passed between modules, as the metrics of all processes count it.
type traffic struct {
	// Calls of operations that stayed in their process, and that left it; Passed are requests of the REST API that the gateway passed on to another
	// process.
	Calls, Cut, Passed float64
	// Events that were handed to the bus, and Taken is how often one was taken from it: once by each module that hears it.
	Events, Taken float64
	// Broker says that events leave the process.
	Broker bool
}

func (t traffic) less(u traffic) traffic {
	return traffic{t.Calls - u.Calls, t.Cut - u.Cut, t.Passed - u.Passed, t.Events - u.Events, t.Taken - u.Taken, t.Broker}
}

// The metrics that tell of traffic.
var (
	cutCalls   = lab.Metric{Name: "cut_calls_per_order", Label: "calls and requests from process to process, per order", Neutral: true}
	localCalls = lab.Metric{Name: "local_calls_per_order", Label: "calls within a process, per order", Neutral: true}
	cutEvents  = lab.Metric{Name: "cut_events_per_order", Label: "events to a broker and from it, per order", Neutral: true}
	allEvents  = lab.Metric{Name: "events_per_order", Label: "events published, per order", Neutral: true}
)

// fill puts traffic per order into the record.
func (t traffic) fill(record *lab.Record, orders float64) {
	if orders == 0 {
		return
	}
	record.Values[cutCalls.Name] = (t.Cut + t.Passed) / orders
	record.Values[localCalls.Name] = t.Calls / orders
	record.Values[allEvents.Name] = t.Events / orders
	record.Values[cutEvents.Name] = 0
	if t.Broker {
		record.Values[cutEvents.Name] = (t.Events + t.Taken) / orders
	}
}

// traffic asks all processes for their metrics.
func (s *site) traffic(ctx context.Context) (sum traffic, err error) {
	state, err := s.stand.Status()
	if err != nil {
		return sum, err
	}
	client, err := operator(state)
	if err != nil {
		return sum, err
	}
	defer client.CloseIdleConnections()
	for _, p := range state.Processes {
		families, err := scrape(ctx, client, state.TLS, p.Internal)
		if err != nil {
			return sum, fmt.Errorf("read the metrics of %s: %w", p.Name, err)
		}
		sum.add(families, slices.Contains(p.Modules, "gateway"))
	}
	for _, server := range state.Servers {
		sum.Broker = sum.Broker || server.Name != servers.Postgres
	}
	return sum, nil
}

// add adds what a process counts. Requests of the REST API come from outside to the gateway's process, and to others from there only.
func (t *traffic) add(families map[string]*dto.MetricFamily, gateway bool) {
	if !gateway {
		for _, m := range families["kerf_http_request_duration_seconds"].GetMetric() {
			t.Passed += float64(m.GetHistogram().GetSampleCount())
		}
	}
	for _, m := range families["kerf_call_seconds"].GetMetric() {
		n := float64(m.GetHistogram().GetSampleCount())
		if label(m, "placement") == "remote" {
			t.Cut += n
		} else {
			t.Calls += n
		}
	}
	for _, m := range families["kerf_outbox_published_total"].GetMetric() {
		t.Events += m.GetCounter().GetValue()
	}
	for _, m := range families["kerf_inbox_messages_total"].GetMetric() {
		t.Taken += m.GetCounter().GetValue()
	}
}

func label(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// operator is a client of the processes' internal listeners.
func operator(state status.Topology) (*http.Client, error) {
	transport := &http.Transport{}
	if state.TLS {
		ca, err := os.ReadFile(state.CA)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}, nil
}

func scrape(ctx context.Context, client *http.Client, secure bool, address string) (map[string]*dto.MetricFamily, error) {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(res.Body)
}
