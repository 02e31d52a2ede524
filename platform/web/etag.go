package web

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
)

// ETag returns the entity tag of an aggregate's version.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// WeakETag returns the entity tag of a composed document: it says whether the content is the same, and states no version.
func WeakETag(content []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(content) // never fails
	return fmt.Sprintf(`W/"%016x"`, h.Sum64())
}

// headerRevalidate lets the client keep an answer, and makes it ask each time whether it still holds.
var headerRevalidate = []string{"private, no-cache"}

// WriteETag says which version the answer shows.
func WriteETag(c echo.Context, version int64) { setETag(c, ETag(version)) }

func setETag(c echo.Context, etag string) {
	h := c.Response().Header()
	h["Etag"] = []string{etag}
	h["Cache-Control"] = headerRevalidate
}

// NotModified says which entity the answer shows. It answers 304 and returns true if the client has it already; the handler
// then returns nil.
func NotModified(c echo.Context, etag string) bool {
	setETag(c, etag)
	for _, have := range c.Request().Header["If-None-Match"] {
		for candidate := range strings.SplitSeq(have, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
				c.Response().WriteHeader(http.StatusNotModified)
				return true
			}
		}
	}
	return false
}

// Versioned answers a query for one aggregate: 200 with its version as ETag, or 304.
func Versioned(c echo.Context, version int64, body any) error {
	if NotModified(c, ETag(version)) {
		return nil
	}
	return c.JSON(http.StatusOK, body)
}

// Composed answers a query whose document has several owners: 200 with a weak ETag over the content, or 304.
func Composed(c echo.Context, body any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write an answer: %w", err)
	}
	if NotModified(c, WeakETag(content)) {
		return nil
	}
	return c.JSONBlob(http.StatusOK, content)
}

// IfMatch returns the version that the client has seen, and false if it does not say. Something that is not one entity tag is
// Invalid; a tag that no version can have is Stale.
func IfMatch(c echo.Context) (version int64, given bool, err error) {
	values := c.Request().Header["If-Match"]
	if len(values) == 0 {
		return 0, false, nil
	}
	tag := strings.TrimSpace(values[0])
	opaque, weak := strings.CutPrefix(tag, "W/")
	if len(values) > 1 || len(opaque) < 2 || opaque[0] != '"' || strings.IndexByte(opaque[1:], '"') != len(opaque)-2 {
		return 0, true, invalidField("If-Match", `must be the one version that was seen, such as "3"`)
	}
	version, err = strconv.ParseInt(opaque[1:len(opaque)-1], 10, 64)
	if weak || err != nil || version < 1 || ETag(version) != opaque {
		return 0, true, fault.Stale("If-Match states no version of this")
	}
	return version, true, nil
}

// RequireIfMatch is IfMatch where the version must be stated: 428 if it is not.
func RequireIfMatch(c echo.Context) (int64, error) {
	version, given, err := IfMatch(c)
	if err == nil && !given {
		err = withStatus(http.StatusPreconditionRequired, fault.New(fault.KindInvalid, "if_match_required",
			"state in If-Match the version that you have seen"))
	}
	return version, err
}
