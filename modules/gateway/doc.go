// Package gateway is the edge: it issues local tokens, tells the domain's time, composes an order's page from four modules, shows
// operators what every module wrote, consumed and parked, and serves the API's description and the pages for people.
//
// It owns no data, publishes nothing and hears nothing.
package gateway
