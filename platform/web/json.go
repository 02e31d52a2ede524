package web

import (
	"encoding/json"

	"github.com/labstack/echo/v4"
)

// jsonSerializer is echo's for answers, without its trailing line feed and its indentation; requests are read by Bind alone.
type jsonSerializer struct{}

func (jsonSerializer) Serialize(c echo.Context, v any, _ string) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Response().Write(body)
	return err
}

func (jsonSerializer) Deserialize(c echo.Context, v any) error { return Bind(c, v) }
