"""A slow, obvious portfolio: lists of lots, one portfolio, float64. The environment's oracle."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

EPOCH = date(1970, 1, 1)
DUST = 1e-11


@dataclass
class Lot:
    shares: float
    basis: float
    day: int


class SlowPortfolio:
    """Portfolio b of a window, step by step; lots are never folded."""

    def __init__(self, window, params, b: int) -> None:
        self.window, self.g = window, int(params.group[b])
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
        self.t = 0

    def at(self, name: str):
        return getattr(self.window, name)[self.g, self.t].double().numpy()

    def is_long(self, lot: Lot) -> bool:
        return self.day - lot.day > 365

    def step(self, target) -> dict:
        w, t = self.window, self.t
        self.day = int(w.fill_day[self.g, t])
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
            ("short_realized", "long_realized", "disallowed", "involuntary", "cost"), 0.0
        )
        self.sold = [dict(shares=0.0, short=0.0, long=0.0, share_days=0.0) for _ in range(self.assets)]
        self.cut: dict[int, float] = {}  # shares sold at a loss from each lot touched, by identity
        available = self.cash + max(flow, 0)
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
        for n in range(self.assets):
            self.wash_sale(n)
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
        return self.info | {"tax_paid": tax_paid, "flow": max(flow, 0) - withdrawn}

    def sell(self, n: int, lot: Lot, shares: float, price: float, cost: float, involuntary: bool) -> float:
        net = price * (1 - cost)
        gain = shares * (net - lot.basis)
        term = "long" if self.is_long(lot) else "short"
        self.info["cost"] += shares * price * cost
        if involuntary:
            self.info["involuntary"] += shares * price
        self.cut[id(lot)] = self.cut.get(id(lot), 0.0) + (shares if gain < 0 else 0.0)
        if self.taxable:
            self.info[f"{term}_realized"] += gain
            setattr(self, f"{term}_net", getattr(self, f"{term}_net") + gain)
            if gain < 0:
                self.sold[n]["shares"] += shares
                self.sold[n][term] -= gain
                self.sold[n]["share_days"] += shares * (self.day - lot.day)
        lot.shares -= shares
        if lot.shares * price < DUST:
            self.lots[n].remove(lot)
        return shares * net

    def sell_hifo(self, n: int, quantity: float, price: float) -> float:
        net, proceeds = price * (1 - self.cost), 0.0

        def rank(lot: Lot) -> int:
            if lot.basis > net:
                return 1 if self.is_long(lot) else 0
            return 2 if self.is_long(lot) else 3

        for lot in sorted(self.lots[n], key=lambda x: (rank(x), -x.basis)):
            if quantity <= 0 or (rank(lot) == 3 and self.no_short_gains):
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
            need -= part * total
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
            self.lots[n].append(Lot(shares, basis, self.day - round(share_days / shares)))
            self.bought[n].append({"shares": (shares - matched) * self.taxable, "day": self.day})

    def close_year(self) -> None:
        if self.taxable:
            short, long = self.short_net - self.short_carry, self.long_net - self.long_carry
            if short > 0 > long or long > 0 > short:
                total = short + long
                short_is_large = abs(short) >= abs(long)
                short, long = (total, 0.0) if short_is_large else (0.0, total)
            deducted_short = min(max(-short, 0.0), self.limit)
            deducted_long = min(max(-long, 0.0), self.limit - deducted_short)
            self.tax_due += self.short_rate * max(short, 0) + self.long_rate * max(long, 0)
            self.tax_due -= self.short_rate * (deducted_short + deducted_long)
            self.short_carry = max(-short, 0.0) - deducted_short
            self.long_carry = max(-long, 0.0) - deducted_long
        self.short_net = self.long_net = 0.0
