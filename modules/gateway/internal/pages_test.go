package internal

import (
	"net/http/httptest"
	"strings"
	"testing"

	"kerf/platform/web"
)

func TestWhatTheDocumentationDoesNotHaveIsAProblem(t *testing.T) {
	srv := web.New(web.Config{})
	new(Gateway).pages(srv.Echo)
	for path, want := range map[string]struct {
		status      int
		contentType string
	}{
		"/docs/":                      {200, "text/html"},
		"/docs/swagger-ui-bundle.js":  {200, "application/javascript"},
		"/docs/nothing.js":            {404, "application/problem+json"},
		"/docs/..%2f":                 {404, "application/problem+json"},
		"/docs/..%2f..%2fetc%2fhosts": {404, "application/problem+json"},
	} {
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := w.Header().Get("Content-Type"); w.Code != want.status || !strings.HasPrefix(got, want.contentType) {
			t.Errorf("%s is answered with %d %s: %.200s", path, w.Code, got, w.Body)
		}
	}
}
