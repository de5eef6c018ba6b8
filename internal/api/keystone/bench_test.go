package keystone

import "testing"

func BenchmarkAuthenticateWarm(b *testing.B) {
	f := newFixture(b)
	token := f.token("admin", projectScope("admin"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := f.Authenticate(b.Context(), token); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkAuthenticateCold(b *testing.B) {
	f := newFixture(b)
	token := f.token("admin", projectScope("admin"))
	b.ReportAllocs()
	for b.Loop() {
		clear(f.sessions.all)
		if _, err := f.Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLogin(b *testing.B) {
	f := newFixture(b)
	f.dearPassword("admin")
	for b.Loop() {
		f.token("admin", projectScope("admin"))
	}
}
