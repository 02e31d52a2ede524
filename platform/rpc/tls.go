package rpc

import "net/url"

const moduleScheme, moduleHost = "kerf", "module"

// ModuleURI is how a certificate names a module that its process has: a URI in its subject's alternative names, kerf://module/kitchen
// for instance.
func ModuleURI(module string) *url.URL {
	return &url.URL{Scheme: moduleScheme, Host: moduleHost, Path: "/" + module}
}
