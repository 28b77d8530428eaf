"""A slow, obvious portfolio: lists of lots, one portfolio, float64. The oracle of the environment's kernels."""

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from ml.policy.env_config import EnvConfig
from ml.policy.market_window import REGIME_FEATURES
from ml.tax.holding_period import is_long_term
from ml.types import OBJECTIVES

EPOCH = date(1970, 1, 1)
DUST = 1e-11
ASSET_KEYS = (
    "weight",
    "short_gain",
    "short_loss",
    "long_gain",
    "long_loss",
    "days_to_long",
    "harvestable",
    "free",
    "is_locked",
)


@dataclass(eq=False)
class Lot:
    shares: float
    basis: float
    day: int


class SlowPortfolio:
    """Portfolio b of a window, step by step."""

    def __init__(self, window, params, b: int, config: EnvConfig) -> None:
        self.window, self.g, self.config = window, int(params.group[b]), config
        self.initial_usd = float(params.initial_usd[b])
        self.taxable = not bool(params.is_tax_deferred[b])
        self.short_rate, self.long_rate = float(params.short_rate[b]), float(params.long_rate[b])
        self.limit, self.cost = float(params.loss_limit_ratio[b]), float(params.cost_ratio[b])
        self.no_short_gains = bool(params.no_short_gains[b]) and self.taxable
        self.flow = None if params.weekly_flow is None else params.weekly_flow[b].double().numpy()
        self.cash = float(params.cash[b])
        self.assets = params.lot_shares.shape[1]
        self.lots: list[list[Lot]] = [
            [
                Lot(float(s), float(p), int(d))
                for s, p, d in zip(
                    params.lot_shares[b, n], params.lot_basis[b, n], params.lot_day[b, n], strict=True
                )
                if s > 0
            ]
            for n in range(self.assets)
        ]
        self.losses: list[list[dict]] = [[] for _ in range(self.assets)]  # of each sale, oldest first
        self.bought: list[list[dict]] = [[] for _ in range(self.assets)]
        self.short_net = self.long_net = self.short_carry = self.long_carry = self.tax_due = 0.0
        self.dividends = self.index = self.peak = 0.0
        self.t = 0
        self.value()

    def at(self, name: str):
        return getattr(self.window, name)[self.g, self.t].double().numpy()

    def is_long(self, lot: Lot) -> bool:
        return is_long_term(EPOCH + timedelta(days=lot.day), EPOCH + timedelta(days=self.day))

    def value(self) -> None:
        """Value the portfolio at decision t, and say what the policy sees of each asset."""
        self.day = int(self.window.fill_day[self.g, self.t])
        price = self.at("decision_price")
        self.pretax = self.cash + sum(x.shares * price[n] for n, lots in enumerate(self.lots) for x in lots)
        self.seen = [self.see(n, price[n]) for n in range(self.assets)]
        result = {}
        for term in ("short", "long"):
            result[term] = sum(s[f"{term}_gain"] - s[f"{term}_loss"] for s in self.seen)
            result[term] *= max(self.pretax, self.config.wealth_floor)
        self.wealth = self.pretax - self.tax_due - self.tax_if_realised(result["short"], result["long"])

    def see(self, n: int, price: float) -> dict[str, float]:
        seen = dict.fromkeys(ASSET_KEYS, 0.0)
        waits, scale = [], max(self.pretax, self.config.wealth_floor)
        for lot in self.lots[n]:
            worth, cost = lot.shares * price / scale, lot.shares * lot.basis / scale
            term = "long" if self.is_long(lot) else "short"
            seen["weight"] += worth
            seen[f"{term}_{'gain' if worth > cost else 'loss'}"] += abs(worth - cost)
            loss_usd = (cost - worth) * scale * self.initial_usd
            if self.taxable and loss_usd >= 50 and cost - worth >= 0.05 * cost:
                seen["harvestable"] += worth
            if not self.taxable or term == "long" or worth <= cost:
                seen["free"] += worth
            if term == "short" and worth > cost:
                later = self.day
                while not is_long_term(EPOCH + timedelta(days=lot.day), EPOCH + timedelta(days=later)):
                    later += 1
                waits.append(later - self.day)
        seen["days_to_long"] = float(min(waits, default=0))
        seen["is_locked"] = float(any(x["shares"] > 0 and self.day - x["day"] <= 30 for x in self.losses[n]))
        return seen

    def net(self, short: float, long: float) -> tuple[float, float, float]:
        """Tax on a year's nets and the losses carried out of it."""
        if short > 0 > long or long > 0 > short:
            total = short + long
            short, long = (total, 0.0) if abs(short) >= abs(long) else (0.0, total)
        deducted_short = min(max(-short, 0.0), self.limit)
        deducted_long = min(max(-long, 0.0), self.limit - deducted_short)
        tax = self.short_rate * max(short, 0) + self.long_rate * max(long, 0)
        tax -= self.short_rate * (deducted_short + deducted_long)
        return tax, max(-short, 0.0) - deducted_short, max(-long, 0.0) - deducted_long

    def tax_if_realised(self, short: float, long: float) -> float:
        if not self.taxable:
            return 0.0
        tax, short_carry, long_carry = self.net(
            self.short_net - self.short_carry + short, self.long_net - self.long_carry + long
        )
        worth = self.short_rate * short_carry + self.long_rate * long_carry
        return tax + self.long_rate * self.dividends - self.config.carry_discount * worth

    def step(self, target) -> dict:
        w, t = self.window, self.t
        before, wealth_before = self.pretax, self.wealth
        delisted = w.is_delisted[self.g, t].numpy()
        price = np.where(delisted, self.at("decision_price"), self.at("fill_price"))
        tradeable = w.is_tradeable[self.g, t].numpy() & ~delisted
        flow = 0.0 if self.flow is None else float(self.flow[t])
        decided = self.at("decision_price")
        held = np.array([sum(x.shares for x in lots) for lots in self.lots])
        value = (held * decided).sum() + self.cash
        wanted = np.array([float(target[n]) * value / decided[n] for n in range(self.assets)])
        change = np.where(tradeable & (abs(wanted - held) * price >= DUST), wanted - held, 0.0)
        self.info = dict.fromkeys(
            ("short_realized", "long_realized", "loss", "disallowed", "involuntary", "cost"), 0.0
        )
        self.gains = dict(short=0.0, long=0.0)
        self.allowed = dict(short=0.0, long=0.0)  # losses of this fill's sales less what is washed at once
        self.traded = 0.0
        paid = 0.0 if w.dividend is None else float((held * self.at("dividend")).sum())
        self.sold = [dict(shares=0.0, short=0.0, long=0.0, share_days=0.0) for _ in range(self.assets)]
        self.cut: dict[int, float] = {}  # shares sold at a loss from each lot touched, by identity
        available = self.cash + max(flow, 0) + paid
        for n in range(self.assets):
            if delisted[n]:
                available += sum(
                    self.sell(n, lot, lot.shares, price[n], 0.0, True) for lot in list(self.lots[n])
                )
            elif change[n] < 0:
                available += self.sell_hifo(n, -change[n], price[n])
        owed = max(-flow, 0) + self.tax_due
        available += self.force(owed - available, price, tradeable)
        tax_paid = min(self.tax_due, available)
        withdrawn = min(max(-flow, 0), available - tax_paid)
        available -= tax_paid + withdrawn
        self.tax_due -= tax_paid
        self.dividends += paid if self.taxable else 0.0
        for n in range(self.assets):
            self.wash_sale(n)
        credited = self.credited()
        spend = np.maximum(change, 0.0) * price
        outlay = spend.sum() * (1 + self.cost)
        spend = spend * (min(1.0, available / outlay) if outlay > 0 else 0.0)
        spend = np.where(spend >= DUST, spend, 0.0)
        for n in range(self.assets):
            self.buy(n, spend[n], price[n])
        self.info["cost"] += spend.sum() * self.cost
        self.cash = max(available - spend.sum() * (1 + self.cost), 0.0)
        today, after = (EPOCH + timedelta(days=int(w.fill_day[self.g, t + k])) for k in (0, 1))
        if after.year != today.year:
            self.close_year()
        self.cash *= 1 + float(w.cash_return[self.g, t])
        self.t += 1
        self.value()
        self.info |= {
            "tax_paid": tax_paid,
            "flow": max(flow, 0) - withdrawn,
            "credited": credited,
            "dividends": paid,
            "turnover": (self.traded + spend.sum()) / 2 / max(before, self.config.wealth_floor),
            "wealth": self.wealth,
            "pretax_value": self.pretax,
        }
        self.info["rewards"] = self.rewards(before, wealth_before, decided, t)
        return self.info

    def credited(self) -> float:
        """Tax that this fill's allowed losses save, the year's other results given."""
        if not self.taxable:
            return 0.0
        short, long = self.allowed["short"], self.allowed["long"]  # already in the nets
        return self.tax_if_realised(short, long) - self.tax_if_realised(0.0, 0.0)

    def rewards(self, before: float, wealth_before: float, decided, t: int) -> dict[str, float]:
        w, info = self.window, self.info
        least = self.config.wealth_floor

        def log_return(after: float, start: float) -> float:
            return math.log(max(after, least) / max(start, least))

        after_tax = log_return(self.wealth, wealth_before + info["flow"])
        pretax = log_return(self.pretax, before + info["flow"] - info["tax_paid"])
        paid = 0.0 if w.dividend is None else w.dividend[self.g, t].double().numpy()
        listed = (w.is_tradeable & ~w.is_delisted)[self.g, t].numpy()
        returns = ((self.at("decision_price") + paid) / decided - 1)[listed]
        equal = math.log1p(returns.mean()) if listed.any() else 0.0
        sigma = float(w.regime[self.g, t, REGIME_FEATURES.index("market_volatility_63d_ann")])
        drawdown = 1 - math.exp(self.index - self.peak)
        self.index += after_tax
        self.peak = max(self.peak, self.index)
        rise = max(0.0, 1 - math.exp(self.index - self.peak) - drawdown)
        shortfall = max(0.0, -after_tax - 1.65 * sigma * math.sqrt(5 / 252))
        harvest = (info["credited"] - info["disallowed"]) / max(wealth_before, least) - 10 * (
            pretax - equal
        ) ** 2
        found = {
            "short_term_alpha": pretax - equal,
            "short_term_gain": after_tax - equal,
            "long_term_gain": after_tax - equal,
            "capital_preservation": after_tax - 2 * rise - 0.5 * shortfall,
            "tax_loss_harvesting": harvest,
            "long_term_gains_only": after_tax,
        }
        return {name: found[name] for name in OBJECTIVES}

    def sell(self, n: int, lot: Lot, shares: float, price: float, cost: float, involuntary: bool) -> float:
        net = price * (1 - cost)
        gain = shares * (net - lot.basis)
        term = "long" if self.is_long(lot) else "short"
        self.info["cost"] += shares * price * cost
        self.traded += shares * price
        if involuntary:
            self.info["involuntary"] += shares * price
        self.cut[id(lot)] = self.cut.get(id(lot), 0.0) + (shares if gain < 0 else 0.0)
        if self.taxable:
            self.info[f"{term}_realized"] += gain
            setattr(self, f"{term}_net", getattr(self, f"{term}_net") + gain)
            if gain < 0:
                self.info["loss"] -= gain
                self.allowed[term] -= gain
                self.sold[n]["shares"] += shares
                self.sold[n][term] -= gain
                self.sold[n]["share_days"] += shares * (self.day - lot.day)
        lot.shares -= shares
        if lot.shares * price < DUST:
            self.lots[n].remove(lot)
        return shares * net

    def sell_hifo(self, n: int, quantity: float, price: float) -> float:
        """Highest basis first over both terms, ties by the earliest day."""
        net, proceeds = price * (1 - self.cost), 0.0
        for lot in sorted(self.lots[n], key=lambda x: (-x.basis, x.day)):
            has_short_gain = lot.basis < net and not self.is_long(lot)
            if quantity <= 0 or (self.no_short_gains and has_short_gain):
                continue
            take = min(quantity, lot.shares)
            quantity -= take
            proceeds += self.sell(n, lot, take, price, self.cost, False)
        return proceeds

    def force(self, need: float, price, tradeable) -> float:
        raised = 0.0
        for rank in range(3):
            members = []
            for n in range(self.assets):
                net = price[n] * (1 - self.cost)
                for lot in self.lots[n]:
                    its = 0 if lot.basis >= net else 1 if self.is_long(lot) else 2
                    if tradeable[n] and its == rank:
                        members.append((n, lot, lot.shares * net))
            total = sum(m[2] for m in members)
            if need <= 0 or total <= 0:
                continue
            part = min(1.0, need / total)
            for n, lot, _ in members:
                raised += self.sell(n, lot, lot.shares * part, price[n], self.cost, True)
            need = max(0.0, need - total)
        return raised

    def wash_sale(self, n: int) -> None:
        sale = self.sold[n]
        recent = [lot for lot in self.lots[n] if self.day - lot.day <= 30]
        other = sum(lot.shares for lot in recent if id(lot) not in self.cut)
        of_cut = sum(lot.shares for lot in recent if id(lot) in self.cut)
        loss_of_cut = sum(self.cut[id(lot)] for lot in recent if id(lot) in self.cut)
        left = min(sale["shares"], other + min(of_cut, max(0.0, sale["shares"] - loss_of_cut)))
        used = 0.0
        for purchase in self.bought[n]:
            if self.day - purchase["day"] <= 30:
                take = min(left - used, purchase["shares"])
                purchase["shares"] -= take
                used += take
        if used > 0:
            part = used / sale["shares"]
            washed = self.disallow(part * sale["short"], part * sale["long"])
            self.allowed["short"] -= part * sale["short"]
            self.allowed["long"] -= part * sale["long"]
            total = sum(lot.shares for lot in recent)
            for lot in recent:
                lot.basis += washed / total
            for key in sale:
                sale[key] *= 1 - part

    def disallow(self, short: float, long: float) -> float:
        self.short_net += short
        self.long_net += long
        self.info["disallowed"] += short + long
        return short + long

    def buy(self, n: int, value: float, price: float) -> None:
        shares = value / price
        washed = matched = share_days = 0.0
        for loss in self.losses[n]:
            if self.day - loss["day"] <= 30 and loss["shares"] > 0:
                take = min(shares - matched, loss["shares"])
                part = take / loss["shares"]
                matched += take
                share_days += part * loss["share_days"]
                washed += self.disallow(part * loss["short"], part * loss["long"])
                for key in ("shares", "short", "long", "share_days"):
                    loss[key] *= 1 - part
        if self.sold[n]["shares"] > 0:
            self.losses[n].append(self.sold[n] | {"day": self.day})
        if shares > 0:
            basis = price * (1 + self.cost) + washed / shares
            self.lots[n].append(Lot(shares, basis, self.day - math.floor(share_days / shares + 0.5)))
            self.fold(n)
            self.bought[n].append({"shares": (shares - matched) * self.taxable, "day": self.day})

    def fold(self, n: int) -> None:
        """Fold the two lots of one term closest in basis, if there are more than K."""
        lots = self.lots[n]
        if len(lots) <= self.config.lots_per_asset:
            return
        pairs = [
            (one, other)
            for i, one in enumerate(lots)
            for other in lots[i + 1 :]
            if self.is_long(one) == self.is_long(other)
        ]
        one, other = min(pairs, key=lambda pair: abs(pair[0].basis - pair[1].basis))
        both = one.shares + other.shares
        mean = (one.shares * one.basis + other.shares * other.basis) / both
        earlier, later = min(one.day, other.day), max(one.day, other.day)
        of_later = sum(x.shares for x in (one, other) if x.day == later) / both if later > earlier else 0.0
        lots.remove(one)
        lots.remove(other)
        lots.append(Lot(both, mean, earlier + math.floor((later - earlier) * of_later)))

    def close_year(self) -> None:
        if self.taxable:
            tax, self.short_carry, self.long_carry = self.net(
                self.short_net - self.short_carry, self.long_net - self.long_carry
            )
            self.tax_due += tax + self.long_rate * self.dividends
        self.short_net = self.long_net = self.dividends = 0.0
