package memory

import "github.com/ThreeDotsLabs/watermill/message"

// listener is a subscription without a group. It keeps the newest messages and loses the oldest if its consumer is slow.
type listener struct {
	feed chan *message.Message
}

// listen makes the subscription hear all that is published on the topic from now on.
func (s *subscription) listen(t *topic, queue int) {
	l := &listener{feed: make(chan *message.Message, queue)}
	t.listen(l)
	s.workers.Go(func() {
		defer t.unlisten(l)
		for {
			select {
			case msg := <-l.feed:
				s.send(msg) // lossy: a nacked message is not sent again
			case <-s.ctx.Done():
				return
			}
		}
	})
}

func (l *listener) offer(msg *message.Message) {
	for {
		select {
		case l.feed <- msg:
			return
		default:
		}
		select {
		case <-l.feed:
		default:
		}
	}
}
