package env_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := env.Sleep(t.Context(), env.Real().Clock, time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("slept %v: %v", time.Since(began), err)
		}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		began = time.Now()
		if err := env.Sleep(ctx, env.Real().Clock, time.Minute); !errors.Is(err, why) || time.Since(began) != time.Second {
			t.Errorf("slept %v: %v, want a second and %v", time.Since(began), err, why)
		}
	})
}
