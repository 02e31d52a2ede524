package web

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Bounded returns c's writer for an answer that somebody else makes: a write fails if the client does not accept it within ten seconds, so
// that a client which stops reading holds nobody up. The returned function is called when the answer is complete, since the connection
// goes on.
func Bounded(c echo.Context) (w http.ResponseWriter, done func()) {
	b := &bounded{ResponseWriter: c.Response(), control: http.NewResponseController(c.Response().Writer)}
	return b, func() { b.limit(time.Time{}) }
}

type bounded struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (b *bounded) limit(t time.Time) { _ = b.control.SetWriteDeadline(t) } // not every connection has one

func (b *bounded) Write(p []byte) (int, error) {
	b.limit(time.Now().Add(writeTimeout))
	return b.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (b *bounded) Unwrap() http.ResponseWriter { return b.ResponseWriter }
