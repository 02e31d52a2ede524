package modules

import (
	"testing"

	"kerf/platform/config"
)

func TestABusIsAnotherOneOnAnotherBroker(t *testing.T) {
	name := func(b config.Bus) string { return (&system{cfg: config.Config{Bus: b}}).carrier() }
	kafka := config.Bus{Driver: "kafka", Brokers: []string{"a:1", "b:1"}}
	for what, other := range map[string]config.Bus{
		"driver":    {Driver: "memory"},
		"broker":    {Driver: "kafka", Brokers: []string{"a:1", "c:1"}},
		"namespace": {Driver: "kafka", Brokers: []string{"a:1", "b:1"}, Namespace: "n"},
	} {
		if name(other) == name(kafka) {
			t.Errorf("with another %s it is %q still", what, name(other))
		}
	}
	same := config.Bus{Driver: "kafka", Brokers: []string{"b:1", "a:1"}, Format: "json"}
	if name(same) != name(kafka) {
		t.Errorf("%q is not %q", name(same), name(kafka))
	}
	if got := name(config.Bus{Driver: "amqp", URL: "amqp://user:secret@host:5672/shop"}); got != "amqp host:5672/shop" {
		t.Errorf("AMQP's is %q", got)
	}
}
