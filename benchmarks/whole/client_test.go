package whole

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// client is one connection of one caller, kept alive. It costs a fraction of net/http's client, so that on a small machine the load leaves the
// processor to the server. It is used by one goroutine at a time.
type client struct {
	b    testing.TB
	addr string
	conn net.Conn
	in   *bufio.Reader
	out  bytes.Buffer
}

func dial(b testing.TB, addr string) *client {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return nil
	}
	return &client{b: b, addr: addr, conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}
}

func (c *client) close() { _ = c.conn.Close() }

// send writes a request. A mutating one gets a new Idempotency-Key.
func (c *client) send(method, path, token string, body any, headers ...string) error {
	c.out.Reset()
	fmt.Fprintf(&c.out, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, c.addr)
	if token != "" {
		fmt.Fprintf(&c.out, "Authorization: Bearer %s\r\n", token)
	}
	if method != http.MethodGet {
		fmt.Fprintf(&c.out, "Idempotency-Key: %s\r\n", rand.Text())
	}
	for _, h := range headers {
		c.out.WriteString(h + "\r\n")
	}
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
		fmt.Fprintf(&c.out, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(data))
	}
	c.out.WriteString("\r\n")
	c.out.Write(data)
	_, err := c.conn.Write(c.out.Bytes())
	return err
}

// try makes a request and decodes the answer into res, unless that is nil. It fails for every status but 2xx.
func (c *client) try(method, path, token string, body, res any) error {
	if err := c.send(method, path, token, body); err != nil {
		return err
	}
	answer, data, err := c.receive()
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, data)
	}
	if res == nil {
		return nil
	}
	return json.Unmarshal(data, res)
}

func (c *client) receive() (*http.Response, []byte, error) {
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(answer.Body)
	return answer, data, err
}

// news decodes what is at path into res if it is not of the version that was seen, and returns its version.
func (c *client) news(path, token, seen string, res any) (version string, err error) {
	if err := c.send(http.MethodGet, path, token, nil, "If-None-Match: "+seen); err != nil {
		return "", err
	}
	answer, data, err := c.receive()
	if err != nil {
		return "", err
	}
	switch answer.StatusCode {
	case http.StatusNotModified:
		return seen, nil
	case http.StatusOK:
		return answer.Header.Get("ETag"), json.Unmarshal(data, res)
	}
	return "", fmt.Errorf("GET %s: %s: %s", path, answer.Status, data)
}

// do is try for what has to succeed. It reports whether it did; the benchmark has failed if not.
func (c *client) do(method, path, token string, body, res any) bool {
	err := c.try(method, path, token, body, res)
	if err != nil {
		c.b.Error(err)
	}
	return err == nil
}

// must is try for what the benchmark cannot go on without.
func (c *client) must(method, path, token string, body, res any) {
	c.b.Helper()
	if err := c.try(method, path, token, body, res); err != nil {
		c.b.Fatal(err)
	}
}
