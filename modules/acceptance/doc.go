// Package acceptance holds no code but tests: the specification of Kerf as its clients see it.
//
// TestAcceptance plays the scenarios of scenarios_test.go, each a story of diners, restaurants and couriers, against every shape of
// shapes_test.go over HTTP. All they know is a URL. Whatever a server answers, and whatever it accepts, is checked against the description
// that it serves at /v1/openapi.json: a route, status, header or field that is not described fails the story that met it.
//
// TestKill and its neighbours start the real binary and treat it badly: they kill it at random moments of a day, fill its disk, lock and
// spoil its files, and then hold it to the invariants. TestFaults does so to a whole topology: processes, brokers and databases are killed and
// stopped, and the links between them cut, delayed and stalled.
package acceptance
