-- Notices are kept for a notifier that is away for ten minutes; and since when it hears of every subscription.
INSERT INTO notifier (until, in_touch, tells) VALUES (now() + interval '10 min', CASE WHEN %(in_touch)s THEN now() END, %(tells)s)
ON CONFLICT (singleton) DO UPDATE
   SET until = EXCLUDED.until, in_touch = coalesce(EXCLUDED.in_touch, notifier.in_touch), tells = EXCLUDED.tells
