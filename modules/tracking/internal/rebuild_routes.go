package internal

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

const rebuildPath = "/v1/tracking/rebuild"

// rebuildResource is the last rebuild in the public API.
type rebuildResource struct {
	ID         string                 `json:"id"`
	State      string                 `json:"state"`
	Phase      Phase                  `json:"phase"`
	Cause      string                 `json:"cause"`
	Problem    string                 `json:"problem,omitempty"`
	StartedAt  time.Time              `json:"started_at"`
	ServedAt   time.Time              `json:"served_at,omitzero"`
	EndedAt    time.Time              `json:"ended_at,omitzero"`
	Modules    map[Source]logResource `json:"modules"`
	Changed    int64                  `json:"views_changed"`
	Kept       int64                  `json:"sections_kept"`
	Unreadable int64                  `json:"events_unreadable"`
	Behind     int64                  `json:"behind_milliseconds"`
	Links      web.Links              `json:"_links"`
}

// logResource is how much of a module's log a rebuild has read.
type logResource struct {
	Events int64     `json:"events"`
	Newest time.Time `json:"newest_event_at,omitzero"` // on the domain clock
}

func rebuildResourceOf(r *rebuild, read map[Source]progress, behind time.Duration, p identity.Principal) rebuildResource {
	links := web.Links{}
	links.Get("self", rebuildPath)
	state := "RUNNING"
	if r.phase == Done {
		state = "DONE"
		if p.Has(identity.RoleAdmin) {
			links.Act("rebuild", "POST", rebuildPath)
		}
	}
	modules := map[Source]logResource{}
	for _, source := range sources {
		modules[source] = logResource{read[source].events, read[source].newest}
	}
	return rebuildResource{
		ID: r.id, State: state, Phase: r.phase, Cause: r.cause, Problem: r.problem,
		StartedAt: r.startedAt, ServedAt: r.swappedAt, EndedAt: r.endedAt,
		Modules: modules, Changed: r.changed, Kept: r.kept, Unreadable: r.unreadable, Behind: behind.Milliseconds(), Links: links,
	}
}

// postRebuild begins a rebuild, which goes on after the answer.
func (s *Service) postRebuild(c echo.Context) error {
	p, err := web.Require(c, identity.RoleAdmin)
	if err != nil {
		return err
	}
	behind, err := s.behind(c.Request().Context())
	if err != nil {
		return err
	}
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error {
		return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) {
			begun, err := s.rebuilder.begin(tx, causeAsked)
			if err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusAccepted, Location: rebuildPath, Body: rebuildResourceOf(begun, nil, behind, p)}, nil
		})
	})
}

// getRebuild shows how far the last rebuild is.
func (s *Service) getRebuild(c echo.Context) error {
	p, err := web.Require(c, identity.RoleAdmin, identity.RoleSupport)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	last, err := scanRebuild(s.db.QueryRow(ctx, selectRebuild))
	if err != nil {
		return err
	}
	if last == nil {
		return fault.NotFound("rebuild")
	}
	read, err := readProgress(ctx, s.db)
	if err != nil {
		return err
	}
	behind, err := s.behind(ctx)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, rebuildResourceOf(last, read, behind, p))
}
