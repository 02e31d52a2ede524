package web_test

import (
	"net/http"
	"net/http/httptest"

	"kerf/platform/web"
)

// direct serves a request that comes from a peer to a host, without a connection, and returns the status.
func direct(s *web.Server, peer, host, path string) int {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr, r.Host = peer, host
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

// serve has a handler answer GET of a target, and forgets the answer.
func serve(h http.Handler, target string) {
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", target, nil))
}
