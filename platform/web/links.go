package web

// Links are what can be done next, by relation (HAL, _links): computed for this caller and this state, so a client that follows
// them needs to know no rule.
type Links map[string]Link

// Link is where a relation leads.
type Link struct {
	Href string `json:"href"`
	// Method is empty for GET.
	Method string `json:"method,omitempty"`
	Title  string `json:"title,omitempty"`
}

// Get adds a link to follow.
func (l Links) Get(relation, href string) { l[relation] = Link{Href: href} }

// Act adds a link to act by.
func (l Links) Act(relation, method, href string) { l[relation] = Link{Href: href, Method: method} }
