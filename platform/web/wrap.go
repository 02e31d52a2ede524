package web

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Wrap serves a route with somebody else's handler, whose refusals, of a path or a missing file for instance, become problems like all others.
func Wrap(h http.Handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		w := &successes{ResponseWriter: c.Response()}
		h.ServeHTTP(w, c.Request())
		if w.refused == 0 {
			return nil
		}
		header := c.Response().Header()
		for _, of := range []string{echo.HeaderContentEncoding, echo.HeaderContentLength, echo.HeaderLastModified, "Accept-Ranges"} {
			header.Del(of)
		}
		return echo.NewHTTPError(w.refused)
	}
}

// successes lets through answers that are no refusals.
type successes struct {
	http.ResponseWriter
	refused int // the status of one that was held back
}

func (w *successes) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
	}
	if w.refused == 0 {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *successes) Write(b []byte) (int, error) {
	if w.refused != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *successes) Unwrap() http.ResponseWriter { return w.ResponseWriter }
