package api

import (
	"context"
	"iter"
)

// Page is a page of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	Links struct {
		Next struct {
			Href string `json:"href"`
		} `json:"next"`
	} `json:"_links"`
}

// All gives the items of a list, page by page. After an error it ends.
func All[T any](ctx context.Context, c *Caller, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for path != "" {
			var page Page[T]
			if err := c.Get(ctx, path, &page); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			path = page.Links.Next.Href
		}
	}
}
