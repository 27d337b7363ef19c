ALTER TABLE routing.timers
    ADD COLUMN parked_at timestamptz,
    ADD COLUMN reason    text;
COMMENT ON COLUMN routing.timers.parked_at IS
    'Set while the timer waits for an operator, because it could not fire (reason). An event that sets the timer anew ends that.';
