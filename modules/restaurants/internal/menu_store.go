package internal

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
)

// menu returns a version of a restaurant's menu, or Not found.
func (s *Service) menu(ctx context.Context, restaurantID string, version int64) (*Menu, error) {
	key := menuKey{restaurantID, version}
	if m := s.menus.get(key); m != nil {
		return m, nil
	}
	var publishedAt int64
	var text string
	if err := s.db.QueryRow(ctx, selectMenu, restaurantID, version).Scan(&publishedAt, &text); err != nil {
		return nil, missing(err, "menu")
	}
	var items []Item
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, fmt.Errorf("read menu: %w", err)
	}
	m := newMenu(restaurantID, version, publishedAt, items)
	s.menus.put(key, m, len(text))
	return m, nil
}

// maxCachedMenus bounds a generation of the menus in memory, in bytes of their JSON; a menu of twenty dishes has some four thousand, and takes
// two or three times that in memory.
const maxCachedMenus = 8 << 20

type menuKey struct {
	restaurantID string
	version      int64
}

// menuCache keeps menus, which never change, in two generations: when the young one is full it becomes the old one, whose rest is
// forgotten. So what is asked for often stays, without a list to keep in order.
type menuCache struct {
	mu         sync.Mutex
	size       int // of a generation, bytes
	filled     int // of the young one
	young, old map[menuKey]cachedMenu
}

type cachedMenu struct {
	menu *Menu
	size int
}

func newMenuCache(size int) *menuCache {
	return &menuCache{size: size, young: map[menuKey]cachedMenu{}}
}

// get returns a menu, or nil.
func (c *menuCache) get(key menuKey) *Menu {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.young[key]; ok {
		return m.menu
	}
	m, ok := c.old[key]
	if ok {
		c.add(key, m)
	}
	return m.menu
}

func (c *menuCache) put(key menuKey, m *Menu, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.young[key]; !ok { // two may have read the same
		c.add(key, cachedMenu{m, size})
	}
}

func (c *menuCache) add(key menuKey, m cachedMenu) {
	if c.filled+m.size > c.size {
		c.young, c.old, c.filled = map[menuKey]cachedMenu{}, c.young, 0
	}
	c.young[key] = m
	c.filled += m.size
}
