import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Decides requests of a coupon, first come, first served, by the rules of the shop. */
final class Issuer extends ContextualProcessor<String, Rows.Request, String, byte[]> {
    private final boolean keepsRequests;
    private KeyValueStore<String, Rows.Campaign> campaigns;
    private KeyValueStore<String, Rows.Counters> counters;
    private KeyValueStore<String, Rows.Claim> claims;
    private KeyValueStore<String, Rows.Verdict> requests;

    Issuer(boolean keepsRequests) {
        this.keepsRequests = keepsRequests;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
        super.init(context);
        campaigns = context.getStateStore("campaigns");
        counters = context.getStateStore("counters");
        claims = context.getStateStore("claims");
        if (keepsRequests) requests = context.getStateStore("requests");
    }

    @Override
    public void process(Record<String, Rows.Request> record) {
        Told.first();
        Rows.Request request = record.value();
        String couponId = record.key();
        String requestKey = couponId + '\0' + request.requestId();
        Rows.Verdict known = keepsRequests ? requests.get(requestKey) : null;
        if (known != null && known.userId().equals(request.userId())) {
            send(record, known);
            return;
        }
        long offset = context().recordMetadata().orElseThrow().offset();
        Rows.Counters before = counters.get(couponId);
        if (before == null) before = Rows.Counters.NONE;
        String claimKey = couponId + '\0' + request.userId();
        Rows.Campaign campaign = known == null ? campaigns.get(couponId) : null;
        Rows.Claim claim = campaign == null ? null : claims.get(claimKey);
        int reason = known == null
            ? refusal(campaign, claim, before, record.timestamp())
            : Rows.REASON_REQUEST_ID_CONFLICT;
        Rows.Verdict verdict;
        if (reason == 0) {
            long sequence = before.issued() + 1;
            String userCouponId = couponId + '-' + sequence;
            verdict = new Rows.Verdict(
                request.userId(), 0, userCouponId, sequence, offset, record.timestamp(), request.bodyHash());
            claims.put(claimKey, new Rows.Claim(claim == null ? 1 : claim.issued() + 1, userCouponId));
        } else {
            String existing = reason == Rows.REASON_DUPLICATE ? claim.userCouponId() : null;
            verdict = new Rows.Verdict(request.userId(), reason, existing, 0, offset, record.timestamp(), request.bodyHash());
        }
        counters.put(couponId, counted(before, reason));
        if (keepsRequests && known == null) requests.put(requestKey, verdict);
        send(record, verdict);
    }

    private static int refusal(Rows.Campaign campaign, Rows.Claim claim, Rows.Counters counters, long at) {
        if (campaign == null) return Rows.REASON_UNKNOWN_COUPON;
        if (at < campaign.opensAt()) return Rows.REASON_NOT_OPEN;
        if (at >= campaign.closesAt()) return Rows.REASON_CLOSED;
        if (campaign.status() != Rows.STATUS_ACTIVE) return Rows.REASON_PAUSED;
        if (claim != null && claim.issued() >= campaign.perUserLimit()) return Rows.REASON_DUPLICATE;
        return counters.issued() >= campaign.quota() ? Rows.REASON_SOLD_OUT : 0;
    }

    private static Rows.Counters counted(Rows.Counters before, int reason) {
        switch (reason) {
            case 0:
                return new Rows.Counters(before.issued() + 1, before.duplicate(), before.soldOut(), before.others());
            case Rows.REASON_DUPLICATE:
                return new Rows.Counters(before.issued(), before.duplicate() + 1, before.soldOut(), before.others());
            case Rows.REASON_SOLD_OUT:
                return new Rows.Counters(before.issued(), before.duplicate(), before.soldOut() + 1, before.others());
            default:
                return new Rows.Counters(before.issued(), before.duplicate(), before.soldOut(), before.others() + 1);
        }
    }

    private void send(Record<String, Rows.Request> record, Rows.Verdict verdict) {
        String requestId = record.value().requestId();
        Record<String, byte[]> result = new Record<>(record.key(), null, verdict.decidedAt());
        if (verdict.reason() == 0) context().forward(result.withValue(verdict.issuedRecord(requestId, record.key())), "issued");
        else context().forward(result.withValue(verdict.rejectedRecord(requestId, record.key())), "rejected");
    }
}
