package identity

import (
	"context"
	"slices"

	"kerf/platform/fault"
)

// Role is what a principal may act as.
type Role string

// The closed set of roles. RoleService is never given to a token: it is a module acting by itself.
const (
	RoleConsumer   Role = "consumer"
	RoleRestaurant Role = "restaurant"
	RoleCourier    Role = "courier"
	RoleSupport    Role = "support"
	RoleAdmin      Role = "admin"
	RoleService    Role = "service"
)

func (r Role) known() bool {
	switch r {
	case RoleConsumer, RoleRestaurant, RoleCourier, RoleSupport, RoleAdmin, RoleService:
		return true
	}
	return false
}

// Principal is who asks. It is not changed once it was made: contexts, caches and goroutines share it.
type Principal struct {
	// Subject is the id of a consumer or courier, or of whoever an external issuer names; "service:<module>" for a module.
	Subject string
	Roles   []Role
	// OwnedIDs are the objects beside itself that the subject speaks for: a restaurant's staff, its restaurants.
	OwnedIDs []string
	// OnBehalfOf is the subject for whom a service acts, for the record only: it grants nothing.
	OnBehalfOf string
}

// Has tells whether the principal has any of the roles.
func (p Principal) Has(roles ...Role) bool {
	for _, r := range roles {
		if slices.Contains(p.Roles, r) {
			return true
		}
	}
	return false
}

// Owns tells whether id is the principal's own: its subject, or one of its owned ids. Nobody owns "".
func (p Principal) Owns(id string) bool {
	return id != "" && (id == p.Subject || slices.Contains(p.OwnedIDs, id))
}

// Service is the principal of a module's sagas, timers and listeners.
func Service(module string) Principal {
	return Principal{Subject: "service:" + module, Roles: []Role{RoleService}}
}

// For returns p acting on behalf of a subject.
func (p Principal) For(subject string) Principal {
	p.OnBehalfOf = subject
	return p
}

type contextKey struct{}

// With returns a context in which p asks.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From returns who asks, and false if nobody said.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(Principal)
	return p, ok
}

// RequireModule refuses everybody but a module that acts by itself: Unauthenticated if nobody said who asks, else Forbidden.
func RequireModule(ctx context.Context) error {
	p, ok := From(ctx)
	if !ok {
		return fault.Unauthenticated("say who asks")
	}
	if !p.Has(RoleService) {
		return fault.Forbidden("modules_only", "this is for modules")
	}
	return nil
}
