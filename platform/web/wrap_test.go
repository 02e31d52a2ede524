package web_test

import (
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"

	"kerf/platform/web"
)

func TestARefusalOfAWrappedHandlerIsAProblem(t *testing.T) {
	files := http.FileServerFS(fstest.MapFS{"docs/a.txt": &fstest.MapFile{Data: []byte("hello")}})
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/docs/*", web.Wrap(files))
		e.GET("/odd", web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte("no"))
		})))
	})
	if r := e.do("GET", "/docs/a.txt", ""); r.status != 200 || r.body != "hello" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := e.do("GET", "/docs/b.txt", ""); r.status != 404 || r.problem(t).Code != "not_found" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := e.do("GET", "/odd", ""); r.status != 400 || r.problem(t).Code != "bad_request" || r.header.Get("Content-Encoding") != "" {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
}
