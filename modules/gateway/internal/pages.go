package internal

import (
	"embed"
	"html/template"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"kerf/platform/web"
)

//go:embed pages
var files embed.FS

var home = template.Must(template.ParseFS(files, "pages/home.html"))

// pages serves what people look at. Nothing of it comes from another server.
func (g *Gateway) pages(e *echo.Echo) {
	e.GET("/", g.home)
	e.GET("/live", page("live.html"))
	for _, asset := range []string{"live.js", "kerf.css", "kerf.svg"} {
		e.GET("/assets/"+asset, page(asset))
	}
	e.GET("/v1/openapi.json", g.getOpenAPI)

	docs := web.Wrap(v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Kerf", SwaggerJSON: "/v1/openapi.json", BasePath: "/docs/", HideCurl: false,
		SettingsUI: map[string]string{"docExpansion": `"none"`, "defaultModelsExpandDepth": "-1"},
	}))
	serve := func(c echo.Context) error {
		// The page of Swagger UI has its script and its styles inline.
		policy(c, "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:")
		return docs(c)
	}
	e.GET("/docs", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/docs/") })
	e.GET("/docs/*", serve)
}

func (g *Gateway) home(c echo.Context) error {
	policy(c, "default-src 'self'")
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	return home.Execute(c.Response(), g)
}

func (g *Gateway) getOpenAPI(c echo.Context) error {
	text, err := g.openapi()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=60")
	return c.JSONBlob(http.StatusOK, text)
}

// page serves one embedded file.
func page(name string) echo.HandlerFunc {
	types := map[string]string{".html": echo.MIMETextHTMLCharsetUTF8, ".js": "text/javascript; charset=utf-8",
		".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	return func(c echo.Context) error {
		content, err := files.ReadFile("pages/" + name)
		if err != nil {
			return err
		}
		policy(c, "default-src 'self'")
		return c.Blob(http.StatusOK, types[path.Ext(name)], content)
	}
}

// policy lets a page load what it consists of; answers that are no pages may load nothing.
func policy(c echo.Context, value string) {
	c.Response().Header().Set("Content-Security-Policy", value+"; frame-ancestors 'none'")
}
